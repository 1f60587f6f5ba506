/** Real nodes as processes of their own: `node dist/main.js start`, as an operator runs it. */
import { type ChildProcess, fork } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { claimPorts } from '../ports.js';
import { Breaker } from './breaker.js';
import type { Gap } from './findings.js';

const MAIN = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** What a node's log says of a gap. */
const GAP = 'messages may have been missed';

export interface Addresses {
  readonly id: string;
  readonly peers: string;
  readonly api: string;
  readonly grpc: string;
  readonly clients: readonly string[];
}

export interface MemberState {
  readonly nodeId: string;
  readonly state: string;
}

/** One node; it can be started, killed and started again under the same name and ports. */
export class NodeProcess {
  private child: ChildProcess | null = null;
  private current: Addresses | null = null;
  /** Log lines of all its lives, as the process wrote them. */
  readonly lines: string[] = [];

  constructor(
    readonly id: string,
    private readonly flags: readonly string[],
    /** Its seeds when it comes back: all others. */
    private readonly others: readonly string[],
    /** Stands before its port for peers, for as long as it runs; nobody dials it directly. */
    readonly breaker: Breaker,
  ) {}

  /** False from the moment that it is told to end. */
  get isRunning(): boolean {
    return this.child !== null;
  }

  get addresses(): Addresses {
    if (this.current === null) throw new Error(`${this.id} is not ready`);
    return this.current;
  }

  /** Fulfilled when the node says that it is ready. */
  async start(seeds: readonly string[] = this.others): Promise<void> {
    if (!existsSync(MAIN)) throw new Error('dist/main.js is missing: run `npm run build` first');
    await this.breaker.open();
    const flags = [...this.flags, `cluster.seeds=${seeds.join(',')}`];
    // As an operator's shell would: without the loaders and variables of the test runner.
    const options = { silent: true, execArgv: [], env: { PATH: process.env.PATH } };
    const child = fork(MAIN, ['start', ...flags.flatMap((flag) => ['--set', flag])], options);
    this.child = child;
    for (const stream of [child.stdout, child.stderr]) {
      let rest = '';
      stream?.on('data', (bytes: Buffer) => {
        const lines = (rest + bytes).split('\n');
        rest = lines.pop() ?? '';
        this.lines.push(...lines);
      });
    }
    this.current = await new Promise<Addresses>((resolve, reject) => {
      child.once('message', (report) => resolve((report as { addresses: Addresses }).addresses));
      child.once('exit', (code, signal) =>
        reject(
          new Error(
            `${this.id} ended with ${code ?? signal} before it was ready:\n${this.lines.slice(-20).join('\n')}`,
          ),
        ),
      );
    });
  }

  signal(name: NodeJS.Signals): void {
    this.child?.kill(name);
  }

  /** Ends it and waits until the process is gone; the exit code, or the signal's name. */
  async end(signal: NodeJS.Signals): Promise<number | string> {
    const { child } = this;
    this.child = null;
    this.current = null;
    const how = child === null ? 'not running' : await ended(child, signal);
    // From here on its peers find nobody, as they would without the breaker.
    await this.breaker.close();
    return how;
  }

  /** Gaps that it raised, in all its lives. */
  gaps(): Gap[] {
    return this.lines
      .filter((line) => line.includes(GAP))
      .map((line) => {
        const { peer, channel, time } = JSON.parse(line) as { peer: string; channel: string | null; time: string };
        return { node: this.id, peer, channel, at: Date.parse(time) };
      });
  }

  /** The members in its view, itself included. */
  async members(): Promise<string[]> {
    return (await this.view()).map(({ nodeId }) => nodeId).sort();
  }

  /** The state of a member in its view; undefined when it is none. */
  async stateOf(nodeId: string): Promise<string | undefined> {
    return (await this.view()).find((member) => member.nodeId === nodeId)?.state;
  }

  private async view(): Promise<MemberState[]> {
    const answer = await fetch(`http://${this.addresses.api}/v1/nodes`);
    return ((await answer.json()) as { r: MemberState[] }).r;
  }

  async isReady(): Promise<boolean> {
    return (await fetch(`http://${this.addresses.api}/readyz`)).status === 200;
  }
}

async function ended(child: ChildProcess, signal: NodeJS.Signals): Promise<number | string> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    if (signal === 'SIGKILL') child.kill('SIGCONT');
    await exit;
  }
  return child.exitCode ?? child.signalCode ?? 'unknown';
}

/** A mesh of ready processes, node-1 … node-n, each behind a breaker. */
export class Cluster {
  private constructor(readonly nodes: readonly NodeProcess[]) {}

  static async start(count: number): Promise<Cluster> {
    const ports = await claimPorts(5 * count);
    const breakers = Array.from({ length: count }, (_, i) => new Breaker(ports[5 * i], ports[5 * i + 1]));
    const nodes = breakers.map((breaker, i) => {
      const [peers, api, grpc, clients] = ports.slice(5 * i + 1, 5 * i + 5);
      const others = breakers.filter((other) => other !== breaker).map(({ address }) => address);
      const flags = [
        `node.id=node-${i + 1}`,
        `cluster.port=${peers}`,
        `cluster.advertise=${breaker.address}`,
        'cluster.profile=local',
        `api.port=${api}`,
        `api.grpcPort=${grpc}`,
        `servers.0.port=${clients}`,
        'servers.0.bind=127.0.0.1',
        'drainSeconds=1',
      ];
      return new NodeProcess(`node-${i + 1}`, flags, others, breaker);
    });
    const cluster = new Cluster(nodes);
    try {
      const [first, ...rest] = nodes;
      await first.start([]);
      await Promise.all(rest.map((node) => node.start([first.breaker.address])));
      await cluster.agrees();
    } catch (error) {
      await cluster.stop();
      throw error;
    }
    return cluster;
  }

  /** Waits until each of these nodes (all, unless told otherwise) has exactly these members in its view. */
  async agrees(nodes: readonly NodeProcess[] = this.nodes): Promise<void> {
    const expected = nodes.map(({ id }) => id).sort();
    await Promise.all(
      nodes.map((node) =>
        until(async () => String(await node.members()) === String(expected), `${node.id} sees ${expected}`),
      ),
    );
  }

  /** Ends everything, however it is. */
  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.end('SIGKILL')));
  }
}

/** Asks again until the answer is yes. The patience is for a machine that is busy; no test measures it. */
export async function until(
  question: () => Promise<boolean> | boolean,
  what: string,
  patienceMs = 30_000,
): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!(await question())) {
    if (Date.now() > end) throw new Error(`waited in vain: ${what}`);
    await pause(20);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
