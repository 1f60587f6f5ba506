/** Real nodes in this process, on free ports, and real clients for them. Everything is closed when the test ends. */
import { fileURLToPath } from 'node:url';
import { WebSocket } from 'ws';
import { type DeepPartial, loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { createNodeFrom, type RunningNode } from '../../src/node.js';
import type { NodeLog } from '../../src/ops/log.js';

export const luaFolder = fileURLToPath(new URL('../../lua/', import.meta.url));

/** Keeps lines for tests that look at them; prints nothing. */
export function quietLog(lines: { level: string; message: string; fields?: unknown }[] = []): NodeLog {
  const write = (level: string) => (message: string, fields?: unknown) => void lines.push({ level, message, fields });
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    change: () => undefined,
  };
}

/** One ready node on free ports; `settings` are laid over those. */
export async function startNode(
  id: string,
  settings: DeepPartial<Config> = {},
  log = quietLog(),
): Promise<RunningNode> {
  const node = await joiningNode(id, settings, log);
  await node.ready;
  return node;
}

/** The same, without waiting until it is ready. */
export function joiningNode(id: string, settings: DeepPartial<Config> = {}, log = quietLog()): Promise<RunningNode> {
  const loaded = loadConfig({
    settings: {
      drainSeconds: 0,
      ...settings,
      node: { id, ...settings.node },
      cluster: { port: 0, profile: 'local', ...settings.cluster },
      api: { port: 0, grpcPort: 0, ...settings.api },
      servers: settings.servers ?? [{ port: 0, bind: '127.0.0.1', entry: `${luaFolder}entry.websocket.lua` }],
    },
  });
  return createNodeFrom(loaded, { log });
}

/** Waits for something that no event tells of; the test's own time limit bounds it. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** A mesh of `count` ready nodes, node-1 … node-n. */
export async function startMesh(count: number, settings: DeepPartial<Config> = {}): Promise<RunningNode[]> {
  const first = await startNode('node-1', settings);
  const cluster = { ...settings.cluster, seeds: [first.addresses.peers] };
  const others = await Promise.all(
    Array.from({ length: count - 1 }, (_, i) => startNode(`node-${i + 2}`, { ...settings, cluster })),
  );
  return [first, ...others];
}

/** A WebSocket client that keeps what arrives until somebody asks for it. */
export class Client {
  private readonly arrived: { data: Buffer; binary: boolean }[] = [];
  private readonly waiting: ((message: { data: Buffer; binary: boolean }) => void)[] = [];
  readonly closed: Promise<{ code: number; reason: string }>;

  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer, binary: boolean) => {
      const next = this.waiting.shift();
      if (next) next({ data, binary });
      else this.arrived.push({ data, binary });
    });
    this.closed = new Promise((resolve) =>
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    );
  }

  static async open(address: string, path = '/'): Promise<Client> {
    const socket = new WebSocket(`ws://${address}${path}`);
    const client = new Client(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  send(value: unknown): void {
    this.socket.send(typeof value === 'string' || Buffer.isBuffer(value) ? value : JSON.stringify(value));
  }

  next(): Promise<{ data: Buffer; binary: boolean }> {
    const ready = this.arrived.shift();
    return ready ? Promise.resolve(ready) : new Promise((resolve) => this.waiting.push(resolve));
  }

  async text(): Promise<string> {
    return (await this.next()).data.toString();
  }

  /** Sends one request of the default script and returns its answer. */
  async ask(request: unknown): Promise<Record<string, unknown>> {
    this.send(request);
    return JSON.parse(await this.text());
  }

  /** Everything that arrived and was not asked for. */
  rest(): Buffer[] {
    return this.arrived.map((message) => message.data);
  }

  close(): void {
    this.socket.close();
  }
}

/** Calls the HTTP API; returns the body as text. */
export async function post(node: RunningNode, path: string, body: unknown): Promise<string> {
  const response = await fetch(`http://${node.addresses.api}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return response.text();
}
