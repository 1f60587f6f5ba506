/**
 * `start --workers N`: several nodes that share the client and API ports (SO_REUSEPORT), one for each core. They are ordinary
 * members of the mesh; the first keeps the peer and gRPC ports of the configuration and is the others' seed.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { type AddressInfo, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { Config } from '../config/schema.js';
import { CommandError, EXIT } from './exit.js';
import type { Report, StartOptions } from './start.js';

/** Set in the environment of a node that shares its ports. */
export const SHARING = 'LUMESH_INTERNAL_SHARING';

/** Runs until all nodes have ended; fails with the first code that is not 0. */
export async function startSharing(
  options: StartOptions,
  config: Config,
  print: (text: string) => void,
): Promise<void> {
  const children: ChildProcess[] = [];
  const stop = () => {
    for (const child of children) child.kill('SIGTERM');
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  process.on('SIGHUP', () => {
    for (const child of children) child.kill('SIGHUP');
  });
  try {
    const ports = await sharedPorts(config);
    const first = launch(options, ports);
    children.push(first);
    const { addresses } = await ready(first);
    for (let i = 2; i <= options.workers; i++) {
      children.push(launch(options, [...ports, ...flagsOf(i, addresses, config)]));
    }
    await Promise.all(children.slice(1).map(ready));
    print(`${options.workers} nodes share ${addresses.clients.join(', ')} and ${addresses.api}`);
  } catch (error) {
    stop();
    throw error;
  }
  const failed = (await Promise.all(children.map(exit))).find((code) => code !== 0);
  if (failed !== undefined)
    throw new CommandError(failed ?? EXIT.refused, 'a node ended with an error; its log says why');
}

/** Settings for the shared ports that the configuration leaves to chance: the kernel shares only a port that is named. */
async function sharedPorts({ api, servers }: Config): Promise<string[]> {
  const wanted = [['api.port', api.port], ...servers.map(({ port }, i) => [`servers.${i}.port`, port])] as const;
  const open = wanted.filter(([, port]) => port === 0);
  return Promise.all(open.map(async ([path]) => `${path}=${await freePort()}`));
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer().once('error', reject);
    probe.listen(0, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** What differs for the i-th node: its name, and its own ports for peers and gRPC. */
function flagsOf(i: number, first: Report['addresses'], config: Config): string[] {
  return [
    `node.id=${config.node.id || first.id}.${i}`,
    'cluster.port=0',
    'cluster.advertise=',
    `cluster.seeds=${first.peers}`,
    'api.grpcPort=0',
  ];
}

function launch(options: StartOptions, flags: readonly string[]): ChildProcess {
  const file = options.config ? ['--config', options.config] : [];
  const set = [...options.set, ...flags].flatMap((flag) => ['--set', flag]);
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  return fork(main, ['start', ...file, ...set], { env: { ...process.env, [SHARING]: '1' } });
}

function ready(child: ChildProcess): Promise<Report> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as Report));
    child.once('exit', (code) =>
      reject(new CommandError(code ?? EXIT.refused, 'a node did not start; its log says why')),
    );
  });
}

function exit(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null) resolve(child.exitCode);
    else child.once('exit', resolve);
  });
}
