/** Servers under test as processes of their own, with the CPU time and memory that the operating system counts for them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { availableParallelism, cpus } from 'node:os';

/** Nothing that was started here outlives the benchmark, however that ends. */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

export class Server {
  #child;
  constructor(child) {
    this.#child = child;
    this.pid = child.pid;
    running.add(child);
    child.once('exit', () => running.delete(child));
  }

  /** CPU time so far, in microseconds: user and system, all threads. */
  cpu() {
    return cpuOf(this.pid);
  }

  /** Resident memory in bytes. */
  rss() {
    const pages = Number(readFileSync(`/proc/${this.pid}/statm`, 'latin1').split(' ')[1]);
    return pages * 4096;
  }

  /** Asks a server that was forked from here; resolves with its answer. */
  ask(question) {
    return new Promise((resolve) => {
      this.#child.once('message', resolve);
      this.#child.send(question);
    });
  }

  async stop(signal = 'SIGTERM') {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.stopping = true;
    this.#child.kill(signal);
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 5000);
    await ended;
    clearTimeout(timer);
  }
}

/** Nanoseconds on a core per thread, as the scheduler counts them: finer than the 10 ms steps of /proc/PID/stat. */
function cpuOf(pid) {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    try {
      nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1').split(' ')[0]);
    } catch {
      // a thread that has just ended
    }
  }
  return nanoseconds / 1000;
}

/** Starts a script of bench/servers with node; it says `{ port … }` over IPC when it is ready. */
export function startScript(url, args = [], nodeArgs = []) {
  const child = spawn(process.execPath, [...nodeArgs, url.pathname, ...args.map(String)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  return new Promise((resolve, reject) => {
    child.once('message', (ready) => resolve({ server: new Server(child), ...ready }));
    child.once('exit', (code) => reject(new Error(`${url.pathname} ended with ${code}`)));
  });
}

/** Starts any program; resolves when `until(output)` is true, or at once without it. What it says when it fails is shown. */
export function startProgram(command, args, until, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  return new Promise((resolve, reject) => {
    let output = '';
    let ready = until === null;
    if (ready) resolve(new Server(child));
    const look = (chunk) => {
      if (ready) return;
      output += chunk;
      if (!until(output)) return;
      ready = true;
      resolve(new Server(child));
    };
    child.stdout.on('data', look);
    child.stderr.on('data', look);
    child.once('error', reject);
    child.once('exit', (code) => {
      if (!ready) reject(new Error(`${command} ended with ${code}:\n${output.slice(-2000)}`));
      else if (code && !child.stopping) console.error(`${command} ${args[0]} ended with ${code}`);
    });
  });
}

/** There are two cores, and the program that holds processes on them (util-linux). */
export const canPin = () => availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0;

/** From now on all threads of a process, this one's when left out, run on that core only; on any with `null`. */
export function pin(core, pid = process.pid) {
  execFileSync('taskset', ['-acp', String(core ?? `0-${cpus().length - 1}`), String(pid)], { stdio: 'ignore' });
}

/** A port that was free a moment ago. */
export function freePort() {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Resolves when somebody listens on a port. */
export async function accepts(port) {
  for (let tries = 0; tries < 250; tries++) {
    const open = await new Promise((resolve) => {
      const socket = connect({ port, host: '127.0.0.1' }, () => {
        socket.destroy();
        resolve(true);
      }).on('error', () => resolve(false));
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(`nobody listens for clients on port ${port}`);
}
