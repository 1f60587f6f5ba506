/** lumesh as it ships: real nodes with the default Lua entry; back ends publish over the WebSocket API, with counts. */
import { fileURLToPath } from 'node:url';
import { RawClient, textFrame } from '../clients/websocket.mjs';
import { accepts, freePort, startProgram } from '../lib/process.mjs';

const MAIN = process.env.BENCH_MAIN ?? fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const FOLDER = fileURLToPath(new URL('../..', import.meta.url));

/** Starts `count` nodes of one mesh; resolves when all are ready. `settings` are more of `--set`. */
export async function startLumesh(count = 1, settings = {}) {
  const seeds = [];
  const servers = [];
  const clients = [];
  const apis = [];
  const grpcs = [];
  for (let i = 0; i < count; i++) {
    const [peers, api, grpc, client] = await Promise.all([freePort(), freePort(), freePort(), freePort()]);
    const all = {
      'node.id': `bench-${i + 1}`,
      'cluster.port': peers,
      'cluster.seeds': seeds.join(','),
      'cluster.profile': 'local',
      'api.port': api,
      'api.grpcPort': grpc,
      'servers.0.port': client,
      'servers.0.bind': '127.0.0.1',
      'servers.0.maxBackpressureBytes': 64 << 20,
      'logging.level': 'warn',
      drainSeconds: 0,
      ...settings,
    };
    const sets = Object.entries(all)
      .filter(([, value]) => value !== '')
      .flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    const nodeArgs = process.env.BENCH_NODE_ARGS?.split(' ') ?? [];
    servers.push(await startProgram(process.execPath, [...nodeArgs, MAIN, 'start', ...sets], null, { cwd: FOLDER }));
    await ready(api);
    // Clients are let in a moment after the mesh is ready.
    await accepts(client);
    seeds.push(`127.0.0.1:${peers}`);
    clients.push(client);
    apis.push(api);
    grpcs.push(grpc);
  }
  return {
    name: 'lumesh',
    servers,
    apis,
    grpcs,
    address: (node = 0) => ({ port: clients[node % count] }),
    subscribe,
    publisher: (node = 0) => openPublisher(apis[node % count]),
    stop: () => Promise.all(servers.map((server) => server.stop())),
  };
}

async function ready(api) {
  for (let tries = 0; tries < 400; tries++) {
    const response = await fetch(`http://127.0.0.1:${api}/readyz`).catch(() => null);
    if (response?.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the node with API port ${api} did not become ready`);
}

/** Through the default Lua entry; resolves when the mesh has acknowledged. */
function subscribe(client, channel) {
  return new Promise((resolve, reject) => {
    client.onMessage = (_client, buffer, start, end) => {
      const answer = buffer.toString('utf8', start, end);
      if (JSON.parse(answer).success === true) resolve();
      else reject(new Error(answer));
    };
    client.send(JSON.stringify({ op: 'subscribe', channel }));
  });
}

/** An answer is read as bytes: `{"E":null,"r":{"s":1,"f":0},"i":7}`. Parsing JSON would cost the client more than its sending. */
const COUNTS = Buffer.from('{"E":null,"r":{"s":');
const FAIL = Buffer.from(',"f":');

function starts(buffer, at, bytes) {
  for (let i = 0; i < bytes.length; i++) if (buffer[at + i] !== bytes[i]) return false;
  return true;
}

function numberEnd(buffer, at) {
  while (buffer[at] >= 48 && buffer[at] <= 57) at++;
  return at;
}

function numberIn(buffer, at) {
  let number = 0;
  for (; buffer[at] >= 48 && buffer[at] <= 57; at++) number = number * 10 + buffer[at] - 48;
  return number;
}

/** A back end on the WebSocket API. Each answer is counted and its counts are added up. */
async function openPublisher(api) {
  const client = await RawClient.open({ port: api, path: '/ws/v1' });
  const publisher = { answered: 0, success: 0, fail: 0, onAnswer: () => {}, close: () => client.close() };
  client.onMessage = (_client, buffer, start, end) => {
    publisher.answered++;
    const success = start + COUNTS.length;
    const fail = numberEnd(buffer, success) + FAIL.length;
    if (!starts(buffer, start, COUNTS) || !starts(buffer, fail - FAIL.length, FAIL)) {
      throw new Error(`publish refused: ${buffer.latin1Slice(start, end)}`);
    }
    publisher.success += numberIn(buffer, success);
    publisher.fail += numberIn(buffer, fail);
    publisher.onAnswer();
  };
  let batch = [];
  let id = 0;
  publisher.publish = (channel, payload) => {
    batch.push(textFrame(`{"m":"mesh.publish","p":{"c":"${channel}","d":"${payload.latin1Slice()}"},"i":${++id}}`));
  };
  publisher.flush = () => {
    client.write(Buffer.concat(batch));
    batch = [];
  };
  return publisher;
}
