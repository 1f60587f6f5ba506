/**
 * Two nodes: acknowledged messages a second and what they cost, over a link alone and as publishes of the whole mesh with
 * counts, against a bare gRPC stream that carries batches of the same size and does nothing else. 128-byte payloads, 4,096 on
 * their way, each acknowledged. The window is refilled 64 messages at a time, which is what one turn of a busy event loop
 * brings together. The mesh spreads its publishes over 1,000 channels with one subscriber each on the other node.
 *
 *   node bench/peer-link.mjs [--seconds 2] [--runs 3] [--quick]
 *
 * Two processes per run on loopback; CPU time is both processes' own, from the operating system.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { median } from './lib/compare.mjs';

const PAYLOAD = 128;
const WINDOW = 4096;
const BATCH = 64;
const CHANNELS = Array.from({ length: 1000 }, (_, i) => `user:${1000 + i}`);
/** What a batch of ours takes on the wire: payload, channel, number, and the tags and lengths around them. */
const BYTES_PER_MESSAGE = PAYLOAD + 27;

const silent = { debug() {}, info() {}, warn: console.error, error: console.error };
const unmeasured = { count() {}, observe() {} };

async function ours(dialTo, hear) {
  const { createLinks } = await import('../dist/links/links.js');
  const options = { bind: '127.0.0.1', port: 0, clusterName: 'bench', secret: 's', tls: { cert: '', key: '', ca: '' } };
  const links = await createLinks({ ...options, nodeId: `node-${process.pid}` }, silent, unmeasured);
  const data = Buffer.alloc(PAYLOAD, 120);
  let sent = 0;
  let link = 0;
  links.attach({
    opened(id) {
      link = id;
      hear.open();
    },
    received(id, _lane, frames) {
      if (frames[0].kind === 'publish') {
        links.send(id, 'data', [{ kind: 'delivered', seq: frames[0].seq, counts: [frames.length, 1, 0] }]);
      } else for (const frame of frames) hear.acknowledged(frame.counts[0]);
    },
    drained() {},
    closed() {
      process.exit();
    },
  });
  if (dialTo) links.dial(dialTo);
  return {
    address: links.address(),
    send(count) {
      const frames = new Array(count);
      for (let i = 0; i < count; i++) {
        frames[i] = { kind: 'publish', seq: ++sent, channel: CHANNELS[sent % 1000], binary: true, data };
      }
      links.send(link, 'data', frames);
    },
  };
}

/** Two whole meshes, without clients: what a subscriber costs is measured elsewhere. */
async function mesh(dialTo, hear) {
  const { createLinks } = await import('../dist/links/links.js');
  const { Mesh } = await import('../dist/core/mesh.js');
  const { createClock, createRandom } = await import('../dist/ops/clock.js');
  const nodeId = `node-${process.pid}`;
  const options = { bind: '127.0.0.1', port: 0, clusterName: 'bench', secret: 's', tls: { cert: '', key: '', ca: '' } };
  const links = await createLinks({ ...options, nodeId }, silent, unmeasured);
  const sockets = { deliver: (audience) => ({ success: audience.subscribers.size, fail: 0 }), joined() {}, left() {} };
  const ports = { clock: createClock(), random: createRandom(), links, sockets, log: silent, meter: unmeasured };
  const node = new Mesh({ node: { nodeId, address: links.address(), api: '', version: '0' } }, ports);
  links.attach(node);
  const ready = new Promise((resolve) => node.start(dialTo ? [dialTo] : [], resolve));
  // A mesh sets its timers up so that they do not keep a process alive.
  setInterval(() => {}, 60_000);
  if (!dialTo) {
    await ready;
    for (const channel of CHANNELS) {
      node.subscribe({ id: node.newClientId() }, channel, (outcome) => {
        if (!outcome.ok) throw new Error(outcome.reason);
      });
    }
  } else ready.then(() => setTimeout(hear.open, 500));
  const data = Buffer.alloc(PAYLOAD, 120);
  let sent = 0;
  const counted = ({ success, unconfirmed }) => {
    if (success !== 1 || unconfirmed.length > 0) throw new Error(`success ${success}, unconfirmed ${unconfirmed}`);
    hear.acknowledged(1);
  };
  return {
    address: links.address(),
    send(count) {
      for (let i = 0; i < count; i++) {
        const refused = node.publish(CHANNELS[++sent % 1000], data, true, counted);
        if (refused !== null) throw new Error(refused);
      }
    },
  };
}

async function bare(dialTo, hear) {
  const grpc = await import('@grpc/grpc-js');
  const same = (bytes) => bytes;
  const method = {
    path: '/bench.Bare/Stream',
    requestStream: true,
    responseStream: true,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  };
  if (!dialTo) {
    const server = new grpc.Server();
    const ack = Buffer.alloc(4);
    const stream = (call) => call.on('data', () => call.write(ack));
    server.addService({ stream: method }, { stream });
    const port = await new Promise((resolve) => {
      server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (_error, bound) => resolve(bound));
    });
    return { address: `127.0.0.1:${port}` };
  }
  const client = new grpc.Client(dialTo, grpc.credentials.createInsecure());
  const call = client.makeBidiStreamRequest(method.path, same, same);
  call.on('data', () => hear.acknowledged(BATCH));
  call.on('error', () => {});
  client.waitForReady(Date.now() + 5000, hear.open);
  const batch = Buffer.alloc(BYTES_PER_MESSAGE * BATCH);
  return { send: () => call.write(batch) };
}

/** One of the two processes; the dialer sends for as long as it is told and reports. */
async function child(way, dialTo, seconds) {
  let acknowledged = 0;
  let free = 0;
  let begun = null;
  const hear = {
    open() {
      if (dialTo) setImmediate(begin);
    },
    acknowledged(count) {
      acknowledged += count;
      free += count;
      while (begun !== null && free >= BATCH) {
        free -= BATCH;
        side.send(BATCH);
      }
    },
  };
  const side = await { ours, mesh, bare }[way](dialTo, hear);
  const begin = () => {
    begun = { at: performance.now(), acknowledged };
    hear.acknowledged(WINDOW);
    acknowledged -= WINDOW;
    // The first part warms up both processes and is not counted.
    setTimeout(() => {
      process.send({ mark: true });
      begun = { at: performance.now(), acknowledged, cpu: process.cpuUsage() };
      setTimeout(() => {
        const took = (performance.now() - begun.at) / 1000;
        const cpu = process.cpuUsage(begun.cpu);
        process.send({ messages: acknowledged - begun.acknowledged, took, cpu: cpu.user + cpu.system });
      }, seconds * 1000);
    }, 700);
  };
  let cpuMark = process.cpuUsage();
  process.on('message', (message) => {
    if (message === 'mark') cpuMark = process.cpuUsage();
    if (message === 'cpu') {
      const cpu = process.cpuUsage(cpuMark);
      process.send({ cpu: cpu.user + cpu.system });
    }
  });
  if (!dialTo) process.send({ address: side.address });
}

function start(...args) {
  const started = fork(fileURLToPath(import.meta.url), ['--child', ...args.map(String)]);
  const waiting = [];
  const said = [];
  started.on('message', (message) => (waiting.length ? waiting.shift()(message) : said.push(message)));
  return {
    next: () => new Promise((resolve) => (said.length ? resolve(said.shift()) : waiting.push(resolve))),
    tell: (message) => started.send(message),
    stop: () => started.kill('SIGKILL'),
  };
}

async function measure(way, seconds) {
  const listener = start(way, '', seconds);
  const { address } = await listener.next();
  const dialer = start(way, address, seconds);
  await dialer.next();
  listener.tell('mark');
  const result = await dialer.next();
  listener.tell('cpu');
  const { cpu } = await listener.next();
  dialer.stop();
  listener.stop();
  return { perSecond: result.messages / result.took, cpuMicros: (result.cpu + cpu) / result.messages };
}

async function main() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '2' },
      runs: { type: 'string', default: '3' },
      quick: { type: 'boolean', default: false },
    },
  });
  const seconds = values.quick ? 1 : Number(values.seconds);
  const runs = { ours: [], mesh: [], bare: [] };
  for (let run = 0; run < (values.quick ? 1 : Number(values.runs)); run++) {
    for (const way of Object.keys(runs)) runs[way].push(await measure(way, seconds));
  }
  const of = (way, key) => median(runs[way].map((run) => run[key]));
  console.log(`${PAYLOAD}-byte messages, window ${WINDOW}, two processes, median of ${runs.ours.length} runs\n`);
  console.log('                                    acknowledged/s   CPU us/message (both processes)');
  const names = {
    ours: 'link of lumesh, frames both ways  ',
    mesh: 'mesh of lumesh, publish and counts',
    bare: 'bare gRPC stream, same batches    ',
  };
  for (const [way, name] of Object.entries(names)) {
    const rate = Math.round(of(way, 'perSecond')).toLocaleString('en').padStart(15);
    console.log(`${name} ${rate} ${of(way, 'cpuMicros').toFixed(2).padStart(12)}`);
  }
  const claims = {
    ours: 'acknowledged 128-byte messages per second over a link of two nodes, against a bare gRPC stream',
    mesh: '128-byte publishes with counts per second between two nodes, against a bare gRPC stream',
  };
  const results = Object.entries(claims).map(([way, claim]) => ({
    claim,
    ours: Math.round(of(way, 'perSecond')),
    baseline: Math.round(of('bare', 'perSecond')),
    ratio: Number((of(way, 'perSecond') / of('bare', 'perSecond')).toFixed(3)),
    unit: 'messages/s',
    cpuMicros: Number(of(way, 'cpuMicros').toFixed(2)),
    baselineCpuMicros: Number(of('bare', 'cpuMicros').toFixed(2)),
  }));
  console.log(JSON.stringify(results));
}

if (process.argv[2] === '--child') await child(process.argv[3], process.argv[4], Number(process.argv[5]));
else await main();
