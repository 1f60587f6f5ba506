/** `lumesh start`: one node in this process, or several that share the client and API ports. */
import { watchFile } from 'node:fs';
import { loadConfig, type Origins } from '../config/load.js';
import { ConfigError } from '../config/problems.js';
import { createNodeFrom, type RunningNode, StartError } from '../node.js';
import { collectOnceWhenCalm } from './collector.js';
import { CommandError, EXIT } from './exit.js';
import { SHARING, startSharing } from './sharing.js';

export interface StartOptions {
  readonly config?: string;
  readonly set: readonly string[];
  readonly workers: number;
}

/** What a node's process tells the one that forked it, over the IPC channel. */
export type Report = { readonly kind: 'ready'; readonly addresses: RunningNode['addresses'] };

/** How often a configuration file is looked at for changes. */
const WATCH_MS = 2000;

/** Runs until a signal ends it. Throws before anything has started when the configuration cannot be used. */
export async function start(options: StartOptions, print: (text: string) => void): Promise<void> {
  const { [SHARING]: sharing, ...env } = process.env;
  const origins: Origins = { file: options.config, env, flags: options.set };
  const loaded = loadConfig(origins);
  if (options.workers > 1) return startSharing(options, loaded.config, print);
  collectOnceWhenCalm();
  try {
    await runNode(origins, await createNodeFrom(loaded, { share: sharing !== undefined }));
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
    if (process.connected) process.send?.(report);
    return node.closed;
  });
  try {
    await Promise.race([ready, untilSignal(node)]);
  } finally {
    // Whoever forked us hears the rest from our exit code; an open IPC channel would keep us alive. Our own disconnect is no wish to end.
    process.removeAllListeners('disconnect');
    if (process.connected) process.disconnect();
  }
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
