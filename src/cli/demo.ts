/** `lumesh demo`, what `npm start` runs: several nodes on loopback as processes of their own, and what to try with them. */
import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../config/load.js';
import type { Config } from '../config/schema.js';
import { CommandError, EXIT } from './exit.js';
import type { Report } from './start.js';

/** Ports of node k are the default ones plus k times this (DESIGN.md "The default a newcomer meets"). */
const PORT_STEP = 10;

/** Runs until Ctrl-C; then all nodes leave politely. Settings of the environment hold for all nodes: LUMESH_API_PORT=7789 moves their ports. */
export async function demo(nodes: number, print: (text: string) => void): Promise<void> {
  if (nodes < 1 || nodes > 100) throw new CommandError(EXIT.usage, '--nodes must be 1 to 100');
  const { config } = loadConfig({ env: process.env });
  print(`starting ${nodes} nodes …`);
  const children = Array.from({ length: nodes }, (_, i) => launch(i, config));
  let stopping = false;
  const stop = () => {
    if (!stopping) print('leaving …');
    stopping = true;
    for (const child of children) child.kill('SIGTERM');
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const ended = Promise.all(children.map(exit));
  try {
    const reports = await Promise.all(children.map((child, i) => ready(child, i)));
    if (!stopping) print(whatToTry(reports.map((report) => report.addresses)));
  } catch (error) {
    if (!stopping) {
      stopping = true;
      for (const child of children) child.kill('SIGTERM');
      await ended;
      throw error;
    }
  }
  const codes = await ended;
  const failed = codes.find((code) => code !== 0);
  if (failed !== undefined) throw new CommandError(EXIT.refused, `a node ended with code ${failed}`);
}

function launch(index: number, config: Config): ChildProcess {
  const shift = index * PORT_STEP;
  const flags = [
    `node.id=node-${index + 1}`,
    `cluster.port=${config.cluster.port + shift}`,
    `cluster.seeds=${index === 0 ? '' : `127.0.0.1:${config.cluster.port}`}`,
    `api.port=${config.api.port + shift}`,
    `api.grpcPort=${config.api.grpcPort + shift}`,
    'servers.0.bind=127.0.0.1',
    `servers.0.port=${config.servers[0].port + shift}`,
    'cluster.profile=local',
    'drainSeconds=1',
    'logging.level=warn',
    'logging.format=pretty',
  ];
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  // A group of its own, so that Ctrl-C reaches only us and the nodes leave one after the other, politely.
  return fork(main, ['start', ...flags.flatMap((flag) => ['--set', flag])], { detached: true });
}

function ready(child: ChildProcess, index: number): Promise<Report> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Report));
    child.once('exit', (code) =>
      reject(new CommandError(code ?? EXIT.refused, `node ${index + 1} did not start; the reason is above`)),
    );
  });
}

function exit(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}

function whatToTry(nodes: readonly Report['addresses'][]): string {
  const first = nodes[0];
  const last = nodes[nodes.length - 1];
  const clients = nodes.map(
    (node) => `  ${node.id}  clients ws://${node.clients[0]}  API http://${node.api}  gRPC ${node.grpc}`,
  );
  return `
${nodes.length} nodes are ready:
${clients.join('\n')}

Console: http://${first.api}/

Try it (the second line goes into the first one's prompt):
  npx lumesh connect ws://${first.clients[0]}
  {"op":"subscribe","channel":"user:1001"}
  curl -X POST http://${last.api}/v1/mesh/publish -H 'content-type: application/json' -d '{"c":"user:1001","d":"Hello,World!"}'

Ctrl-C ends all of them.`;
}
