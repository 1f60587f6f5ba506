/** What the API benchmarks share: subscribers that count what they get, and loads that keep calls under way. */
import { connect } from 'node:net';
import { RawClient, textFrame } from '../clients/websocket.mjs';

/** Counts `count()` over some seconds of work, and the CPU time of `server` meanwhile. */
export async function measureLoad(server, seconds, count) {
  const [before, cpu, start] = [count(), server.cpu(), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const done = count() - before;
  const elapsed = (performance.now() - start) / 1000;
  return { perSecond: done / elapsed, perCpuSecond: (done / (server.cpu() - cpu)) * 1e6 };
}

/** `count` clients of the node on `channel`. `messages()` is how many they have received together. */
export async function subscribers(system, channel, count) {
  let received = 0;
  const clients = [];
  for (let i = 0; i < count; i++) {
    const client = await RawClient.open(system.address(0));
    await system.subscribe(client, channel);
    client.listen(() => received++);
    clients.push(client);
  }
  return { messages: () => received, close: () => clients.forEach((client) => void client.close()) };
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
      if (!bytes.subarray(-expected.length).equals(expected)) throw new Error(`unexpected answer: ${bytes}`);
      answered++;
      socket.write(request);
    });
    return socket;
  });
  return { count: () => answered, close: () => sockets.forEach((socket) => void socket.destroy()) };
}

/** Keeps `window` calls under way on one WebSocket API connection; answers are counted by their bytes. */
export async function webSocketLoad(port, call, answer, window) {
  const client = await RawClient.open({ port, path: '/ws/v1' });
  const batch = Math.max(1, window >> 3);
  const many = Buffer.concat(Array(batch).fill(textFrame(call)));
  const expected = Buffer.from(answer);
  let answered = 0;
  let sent = 0;
  const pump = () => {
    while (sent + batch - answered <= window) {
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
  return { count: () => answered, close: () => client.close() };
}
