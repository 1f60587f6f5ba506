/**
 * Runs one example: its back end, one lumesh node with its configuration, and the demo that plays its clients.
 *   npm run example message-center            (or: node examples/run.mjs message-center)
 * The node and the back end stay until Ctrl-C. Options: --once ends after the demo, --free takes free ports instead of the
 * usual ones (both used by the tests).
 */
import { fork } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const main = join(here, '..', 'dist', 'main.js');

/** Starts a program and waits until it says `{ kind: 'ready', … }` over its IPC channel. */
async function started(children, name, file, args, env) {
  const child = fork(file, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  children.push(child);
  return new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => reject(new Error(`${name} ended before it was ready (${code ?? signal})`)));
    child.on('message', (report) => {
      if (report.kind === 'ready') resolve(report);
    });
  });
}

/** Starts back end and node; `stop` ends both. The addresses are "host:port". */
export async function startExample(name, { free = false } = {}) {
  const folder = join(here, name);
  const children = [];
  const stop = async () => {
    const ends = children
      .filter((child) => child.exitCode === null && child.signalCode === null)
      .map((child) => new Promise((resolve) => child.once('exit', resolve)));
    for (const child of children) child.kill('SIGTERM');
    await Promise.all(ends);
  };
  try {
    const backend = await started(children, 'the back end', join(folder, 'backend.mjs'), [], free ? { PORT: '0' } : {});
    const ports = ['cluster.port=0', 'api.port=0', 'api.grpcPort=0', 'servers.0.port=0', 'drainSeconds=0'];
    const set = [`servers.0.options.0.value=http://127.0.0.1:${backend.port}`, ...(free ? ports : [])];
    const args = ['start', '--config', join(folder, 'lumesh.yaml'), ...set.flatMap((flag) => ['--set', flag])];
    const node = await started(children, 'lumesh', main, args, { LUMESH_LOGGING_LEVEL: 'warn' });
    const lumesh = `http://${node.addresses.api}`;
    children[0].send({ kind: 'lumesh', url: lumesh });
    return {
      backend: `http://127.0.0.1:${backend.port}`,
      lumesh,
      clients: node.addresses.clients[0].replace(/^.*:/, '127.0.0.1:'),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function run([name, ...flags]) {
  const names = readdirSync(here).filter((entry) => existsSync(join(here, entry, 'demo.mjs')));
  if (!names.includes(name)) {
    console.error(`usage: node examples/run.mjs ${names.join(' | ')}`);
    return 2;
  }
  if (!existsSync(main)) {
    console.error('lumesh is not built yet: npm run build');
    return 2;
  }
  const example = await startExample(name, { free: flags.includes('--free') });
  const ended = new Promise((resolve) => process.once('SIGINT', resolve).once('SIGTERM', resolve));
  try {
    console.log(
      `clients connect to ${example.clients}, the back end is ${example.backend}, lumesh's API ${example.lumesh}\n`,
    );
    const { demo } = await import(`./${name}/demo.mjs`);
    await demo(example, (line) => console.log(line));
    if (!flags.includes('--once')) {
      console.log('\nBoth stay until Ctrl-C: try the lines of the README.');
      await ended;
    }
  } finally {
    await example.stop();
  }
  return 0;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) process.exitCode = await run(process.argv.slice(2));
