/**
 * What the API benchmarks share: a node as a process of its own, its CPU time as the operating system counts it, and clients on
 * raw sockets that cost next to nothing, so that the machine measures the server.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { fileURLToPath } from 'node:url';
import { freePort } from './lib/process.mjs';

const here = (path) => fileURLToPath(new URL(path, import.meta.url));

/** Starts one node with the default Lua entry and waits until it is ready. */
export async function startNode() {
  const [peers, api, grpc, clients] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
  const settings = {
    'node.id': 'bench',
    'cluster.port': peers,
    'api.port': api,
    'api.grpcPort': grpc,
    'servers.0.port': clients,
    'servers.0.bind': '127.0.0.1',
    'logging.level': 'warn',
    drainSeconds: 0,
  };
  const flags = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const child = spawn(process.execPath, [here('../dist/main.js'), 'start', ...flags], { stdio: ['ignore', 2, 2] });
  child.once('exit', (code) => code && fail(`the node ended with code ${code}`));
  for (let tries = 0; tries < 300; tries++) {
    const answer = await fetch(`http://127.0.0.1:${api}/readyz`).catch(() => null);
    if (answer?.status === 200) return { pid: child.pid, api, grpc, clients, stop: () => stop(child) };
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return fail('the node did not become ready');
}

/** Starts the bare server of api-bare.mjs, the baseline. */
export async function startBare() {
  const child = spawn(process.execPath, [here('./api-bare.mjs')], { stdio: ['ignore', 'pipe', 2] });
  const [line] = await once(child.stdout, 'data');
  return { pid: child.pid, api: Number(line), stop: () => stop(child) };
}

async function stop(child) {
  child.removeAllListeners('exit');
  child.kill();
  if (child.exitCode === null) await once(child, 'exit');
}

function fail(text) {
  console.error(text);
  process.exit(1);
}

const TICKS_PER_SECOND = 100;

/** User and system time of a process, in seconds. */
export function cpuSeconds(pid) {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

/** Counts `count()` over some seconds of `work`, and the CPU time of `pid` meanwhile. */
export async function measure(pid, seconds, count) {
  const [before, cpu, start] = [count(), cpuSeconds(pid), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const done = count() - before;
  const elapsed = (performance.now() - start) / 1000;
  return { perSecond: done / elapsed, perCpuSecond: done / (cpuSeconds(pid) - cpu) };
}

/** A WebSocket on a raw socket. Frames are sent with a mask of zeros: valid, and the payload stays as it is. */
export async function rawWebSocket(port, path = '/') {
  const socket = connect(port, '127.0.0.1');
  socket.setNoDelay(true);
  socket.write(
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  );
  const [head] = await once(socket, 'data');
  if (!head.toString().startsWith('HTTP/1.1 101')) fail(`no WebSocket at ${path}: ${head}`);
  return socket;
}

export function frame(text) {
  const payload = Buffer.from(text);
  const long = payload.length > 125;
  const head = Buffer.alloc(long ? 8 : 6);
  head[0] = 0x81;
  head[1] = 0x80 | (long ? 126 : payload.length);
  if (long) head.writeUInt16BE(payload.length, 2);
  return Buffer.concat([head, payload]);
}

/** Subscribes `count` clients to `channel` through the default Lua entry. `bytes()` is what they have received together. */
export async function subscribers(port, channel, count) {
  let received = 0;
  const sockets = [];
  for (let i = 0; i < count; i++) {
    const socket = await rawWebSocket(port);
    socket.write(frame(JSON.stringify({ op: 'subscribe', channel })));
    const [answer] = await once(socket, 'data');
    if (!answer.includes('"success":true')) fail(`cannot subscribe: ${answer}`);
    socket.on('data', (bytes) => {
      received += bytes.length;
    });
    sockets.push(socket);
  }
  return { bytes: () => received, close: () => sockets.forEach((socket) => void socket.destroy()) };
}

/**
 * Keeps `connections` HTTP connections busy, one request under way on each. Each answer must end with `ending`.
 * `count()` is how many were answered.
 */
export function httpLoad(port, body, ending, connections) {
  const request = Buffer.from(
    `POST /v1/mesh/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const expected = Buffer.from(ending);
  let answered = 0;
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      if (!bytes.subarray(-expected.length).equals(expected)) fail(`unexpected answer: ${bytes}`);
      answered++;
      socket.write(request);
    });
    return socket;
  });
  return { count: () => answered, close: () => sockets.forEach((socket) => void socket.destroy()) };
}

/** Keeps `window` calls under way on one WebSocket API connection; answers are counted by their bytes. */
export async function webSocketLoad(port, call, answer, window) {
  const socket = await rawWebSocket(port, '/ws/v1');
  const one = frame(call);
  const batch = Math.max(1, window >> 3);
  const many = Buffer.concat(Array(batch).fill(one));
  const answerBytes = Buffer.byteLength(answer) + 2;
  let received = 0;
  let sent = 0;
  const count = () => Math.floor(received / answerBytes);
  const pump = () => {
    while (sent + batch - count() <= window) {
      socket.write(many);
      sent += batch;
    }
  };
  socket.once('data', (first) => {
    if (!first.subarray(2).toString().startsWith(answer)) fail(`unexpected answer: ${first}`);
  });
  socket.on('data', (bytes) => {
    received += bytes.length;
    pump();
  });
  pump();
  return { count, close: () => void socket.destroy() };
}
