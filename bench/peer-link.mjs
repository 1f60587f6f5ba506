/**
 * A link between two nodes: acknowledged messages a second and what they cost, against a bare gRPC stream that carries
 * batches of the same size and does nothing else. 128-byte payloads, 4,096 on their way, each acknowledged. The window is
 * refilled 64 messages at a time, which is what one turn of a busy event loop brings together.
 *
 *   node bench/peer-link.mjs [--seconds 2] [--runs 3]
 *
 * Two processes per run on loopback; CPU time is both processes' own, from the operating system.
 */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

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
  const side = await (way === 'ours' ? ours : bare)(dialTo, hear);
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

const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

async function main() {
  const { values } = parseArgs({
    options: { seconds: { type: 'string', default: '2' }, runs: { type: 'string', default: '3' } },
  });
  const runs = { ours: [], bare: [] };
  for (let run = 0; run < Number(values.runs); run++) {
    for (const way of ['ours', 'bare']) runs[way].push(await measure(way, Number(values.seconds)));
  }
  const of = (way, key) => median(runs[way].map((run) => run[key]));
  console.log(`${PAYLOAD}-byte messages, window ${WINDOW}, two processes, median of ${values.runs} runs\n`);
  console.log('                                   acknowledged/s   CPU us/message (both processes)');
  for (const [way, name] of [
    ['ours', 'link of lumesh, frames both ways '],
    ['bare', 'bare gRPC stream, same batches   '],
  ]) {
    const rate = Math.round(of(way, 'perSecond')).toLocaleString('en').padStart(15);
    console.log(`${name} ${rate} ${of(way, 'cpuMicros').toFixed(2).padStart(12)}`);
  }
  const claim = 'peer-link: acknowledged 128-byte messages per second between two nodes';
  const [mine, base] = [of('ours', 'perSecond'), of('bare', 'perSecond')];
  console.log(
    JSON.stringify({
      claim,
      ours: Math.round(mine),
      baseline: Math.round(base),
      ratio: Number((mine / base).toFixed(3)),
      unit: 'messages/s',
      cpuMicros: {
        ours: Number(of('ours', 'cpuMicros').toFixed(2)),
        baseline: Number(of('bare', 'cpuMicros').toFixed(2)),
      },
    }),
  );
}

if (process.argv[2] === '--child') await child(process.argv[3], process.argv[4], Number(process.argv[5]));
else await main();
