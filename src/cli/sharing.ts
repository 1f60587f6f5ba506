/**
 * `start --workers N`: several nodes that share the client and API ports (SO_REUSEPORT), one for each core. They are ordinary
 * members of the mesh; the first keeps the peer and gRPC ports of the configuration and is the others' seed.
 */
import { type ChildProcess, fork } from 'node:child_process';
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
    const first = launch(options, []);
    children.push(first);
    const { addresses } = await ready(first);
    for (let i = 2; i <= options.workers; i++) {
      children.push(launch(options, flagsOf(i, addresses, config)));
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

/** What differs for the i-th node: its name, and its own ports for peers and gRPC; where the first one chose a port, it joins it there. */
function flagsOf(i: number, first: Report['addresses'], config: Config): string[] {
  return [
    `node.id=${config.node.id || first.id}.${i}`,
    'cluster.port=0',
    'cluster.advertise=',
    `cluster.seeds=${first.peers}`,
    `api.port=${portOf(first.api)}`,
    'api.grpcPort=0',
    ...first.clients.map((address, k) => `servers.${k}.port=${portOf(address)}`),
  ];
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(':') + 1);
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
