/** What the API benchmarks share: subscribers that count what they get, and loads that keep calls under way. */
import { connect } from 'node:net';
import { RawClient, textFrame } from '../clients/websocket.mjs';
import { sleep, until } from './fanout.mjs';

/** For what is still under way at the end. */
const WAIT_MS = 10_000;

/** Counts `count()` over some seconds of work, and the CPU time of `server` meanwhile. */
export async function measureLoad(server, seconds, count) {
  const [before, cpu, start] = [count(), server.cpu(), performance.now()];
  await sleep(seconds * 1000);
  const done = count() - before;
  const elapsed = (performance.now() - start) / 1000;
  return { perSecond: done / elapsed, perCpuSecond: (done / (server.cpu() - cpu)) * 1e6 };
}

/** `count` clients of the node on `channel`. `close(publishes)` checks that each has received so many. */
export async function subscribers(system, channel, count) {
  let received = 0;
  const clients = [];
  for (let i = 0; i < count; i++) {
    const client = await RawClient.open(system.address(0));
    await system.subscribe(client, channel);
    client.listen(() => received++);
    clients.push(client);
  }
  const close = async (publishes) => {
    const owed = count * publishes;
    await until(() => received >= owed, WAIT_MS);
    if (received !== owed) throw new Error(`${received} deliveries, and not ${owed}`);
    console.log(`${received} deliveries, ${count} for each answer`);
    for (const client of clients) client.close();
  };
  return { close };
}

/** Ends a load when all that was sent is answered. Resolves with how many that were. */
export async function finish(load) {
  load.stopped = true;
  await until(() => load.underWay() === 0, WAIT_MS);
  if (load.underWay() > 0) throw new Error(`${load.underWay()} publishes were never answered`);
  load.close();
  return load.count();
}

/**
 * Keeps `connections` HTTP connections busy, one request under way on each. Each answer must end with `ending`.
 * `count()` is how many were answered; end it with `finish`.
 */
export function httpLoad(port, body, ending, connections) {
  const request = Buffer.from(
    `POST /v1/mesh/publish HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  const expected = Buffer.from(ending);
  let answered = 0;
  let sent = 0;
  const load = { stopped: false, count: () => answered, underWay: () => sent - answered };
  const ask = (socket) => {
    if (load.stopped) return;
    socket.write(request);
    sent++;
  };
  const sockets = Array.from({ length: connections }, () => {
    const socket = connect(port, '127.0.0.1', () => ask(socket));
    socket.setNoDelay(true);
    socket.on('data', (bytes) => {
      if (!bytes.subarray(-expected.length).equals(expected)) throw new Error(`unexpected answer: ${bytes}`);
      answered++;
      ask(socket);
    });
    return socket;
  });
  load.close = () => sockets.forEach((socket) => void socket.destroy());
  return load;
}

/** Keeps `window` calls under way on one WebSocket API connection; answers are counted by their bytes. End it with `finish`. */
export async function webSocketLoad(port, call, answer, window) {
  const client = await RawClient.open({ port, path: '/ws/v1' });
  const batch = Math.max(1, window >> 3);
  const many = Buffer.concat(Array(batch).fill(textFrame(call)));
  const expected = Buffer.from(answer);
  let answered = 0;
  let sent = 0;
  const load = { stopped: false, count: () => answered, underWay: () => sent - answered, close: () => client.close() };
  const pump = () => {
    while (!load.stopped && sent + batch - answered <= window) {
      client.write(many);
      sent += batch;
    }
  };
  client.listen((_client, bytes, start, end) => {
    if (expected.compare(bytes, start, end) !== 0)
      throw new Error(`unexpected answer: ${bytes.latin1Slice(start, end)}`);
    answered++;
    pump();
  });
  pump();
  return load;
}
