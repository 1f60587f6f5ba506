/** `lumesh start`: one node in this process, or several that share the client and API ports. */
import { type ChildProcess, fork } from 'node:child_process';
import { watchFile } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Loaded, loadConfig, type Origins } from '../config/load.js';
import { ConfigError } from '../config/problems.js';
import { createNodeFrom, type RunningNode, StartError } from '../node.js';
import { CommandError, EXIT } from './exit.js';

interface StartOptions {
  readonly config?: string;
  readonly set: readonly string[];
  readonly workers: number;
}

/** What a node's process tells the one that forked it, over the IPC channel. */
export type Report = { readonly kind: 'ready'; readonly addresses: RunningNode['addresses'] };

/** How often a configuration file is looked at for changes. */
const WATCH_MS = 2000;
/** Set for the second and later of several nodes that share ports: its number, from 1. */
const WORKER = 'LUMESH_INTERNAL_WORKER';

/** Runs until a signal ends it. Throws before anything has started when the configuration cannot be used. */
export async function start(options: StartOptions, print: (text: string) => void): Promise<void> {
  const { [WORKER]: worker, ...env } = process.env;
  const origins: Origins = { file: options.config, env, flags: options.set };
  const loaded = loadConfig(origins);
  if (options.workers > 1) return startWorkers(options, loaded, print);
  try {
    await runNode(origins, await createNodeFrom(loaded, { share: worker !== undefined }));
  } catch (error) {
    if (error instanceof StartError) throw new CommandError(EXIT.usage, error.message);
    throw error;
  }
}

/** Ends when the node has been closed; fails when it cannot open its clients' ports. */
async function runNode(origins: Origins, node: RunningNode): Promise<void> {
  takeOverChanges(origins, node);
  endOnBugs(node);
  const ready = node.ready.then(() => {
    const report: Report = { kind: 'ready', addresses: node.addresses };
    process.send?.(report);
    return node.closed;
  });
  await Promise.race([ready, node.closed, untilSignal(node)]);
}

/** What nobody caught is a bug: one clear line, and an end that whoever restarts processes can see. */
function endOnBugs(node: RunningNode): void {
  process.on('uncaughtException', (error) => {
    node.log.error('this is a bug; the process ends', { error: error.message, stack: error.stack });
    process.exit(EXIT.bug);
  });
}

/** Leaves the mesh politely at the first SIGTERM or SIGINT; ends at once at the second. */
async function untilSignal(node: RunningNode): Promise<void> {
  await new Promise<void>((resolve) => {
    let asked = false;
    const stop = () => {
      if (asked) process.exit(EXIT.refused);
      asked = true;
      resolve();
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    process.on('disconnect', stop);
  });
  await node.close();
  // Our own disconnect is no second wish to end.
  process.removeAllListeners('disconnect');
  if (process.connected) process.disconnect();
}

/** Live settings are taken over on SIGHUP and when the file changes; a broken file changes nothing and says why. */
function takeOverChanges(origins: Origins, node: RunningNode): void {
  const reload = () => {
    try {
      node.reload(loadConfig(origins));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      node.log.error('the changed configuration cannot be used, the running one stays', { problems: error.problems });
    }
  };
  process.on('SIGHUP', reload);
  if (origins.file) watchFile(origins.file, { interval: WATCH_MS, persistent: false }, reload);
}

/** Several nodes that share the client and API ports (SO_REUSEPORT): the first keeps the peer and gRPC ports and is the others' seed. */
async function startWorkers(options: StartOptions, { config }: Loaded, print: (text: string) => void): Promise<void> {
  const children: ChildProcess[] = [];
  let failed: number | null = null;
  const run = (flags: readonly string[], number: number) => {
    const file = options.config ? ['--config', options.config] : [];
    const set = [...options.set, ...flags].flatMap((flag) => ['--set', flag]);
    const child = fork(fileURLToPath(new URL('../main.js', import.meta.url)), ['start', ...file, ...set], {
      env: { ...process.env, [WORKER]: String(number) },
    });
    children.push(child);
    return child;
  };
  const first = run([], 1);
  const report = await new Promise<Report>((resolve, reject) => {
    first.once('message', (message) => resolve(message as Report));
    first.once('exit', (code) => reject(new CommandError(code ?? EXIT.refused, 'the first node did not start')));
  });
  const name = config.node.id || report.addresses.id;
  for (let i = 2; i <= options.workers; i++) {
    run(
      [
        `node.id=${name}.${i}`,
        'cluster.port=0',
        'cluster.advertise=',
        `cluster.seeds=${report.addresses.peers}`,
        'api.grpcPort=0',
      ],
      i,
    );
  }
  print(`${options.workers} nodes share ${report.addresses.clients.join(', ')} and ${report.addresses.api}`);
  for (const signal of ['SIGTERM', 'SIGINT'] as const)
    process.on(signal, () => {
      for (const child of children) child.kill('SIGTERM');
    });
  await Promise.all(
    children.map(
      (child) =>
        new Promise<void>((resolve) => {
          if (child.exitCode !== null) resolve();
          else
            child.once('exit', (code) => {
              if (code) failed ??= code;
              resolve();
            });
        }),
    ),
  );
  if (failed !== null) throw new CommandError(failed, 'a node ended with an error; its log says why');
}
