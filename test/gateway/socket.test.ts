import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import type { Connection, SocketScript } from '../../src/gateway/roles.js';
import { Client, CONFIG, dial, Record, setup, TestAudience, turn } from './harness.js';

/** Answers each read with the same bytes; frames what is delivered in angle brackets; fails to frame "!". */
class EchoScript implements SocketScript {
  readonly connections = new Record<Connection>();
  readonly chunks = new Record<string>();
  readonly closes = new Record<string | null>();
  echo = true;
  connected(connection: Connection): void {
    this.connections.push(connection);
  }
  received(connection: Connection, chunk: Uint8Array): void {
    this.chunks.push(Buffer.from(chunk).toString('latin1'));
    if (this.echo) connection.send(chunk, true);
  }
  encode(_connection: Connection, data: Uint8Array): Uint8Array | null {
    const text = Buffer.from(data).toString('latin1');
    return text === '!' ? null : Buffer.from(`<${text}>`, 'latin1');
  }
  closed(_connection: Connection, error: string | null): void {
    this.closes.push(error);
  }
}

const SOCKET = { ...CONFIG, protocol: 'socket' as const };

async function listening(config = SOCKET) {
  const { gateway, clock, counts, script: websocketScript } = setup();
  const script = new EchoScript();
  const { port } = await gateway.listenSocket(config, script);
  return { gateway, clock, counts, script, port, websocketScript };
}

/** Reads until `length` characters have come. */
async function read(socket: Socket, length: number): Promise<string> {
  let text = '';
  while (text.length < length) text += ((await once(socket, 'data')) as Buffer[])[0].toString('latin1');
  return text;
}

t.test('bytes go to the script and back unchanged', async (t) => {
  const { gateway, script, port, counts } = await listening();
  t.teardown(() => gateway.close());
  const socket = await dial(port);
  socket.write(Buffer.from([0, 255, 13, 10]));
  t.equal(await read(socket, 4), '\x00\xff\r\n');
  const [connection] = await script.connections.first(1);
  t.equal(connection.protocol, 'socket');
  t.equal(connection.remoteAddress, `127.0.0.1:${socket.localPort}`);
  t.equal(gateway.connection(connection.id), connection);
  t.equal(gateway.serverOf(connection), SOCKET);
  t.equal(gateway.counts().get('socket'), 1);
  t.equal(counts.get('messages_received_total:socket'), 1);
  socket.end();
  t.same(await script.closes.first(1), [null], 'an end is a clean close');
  t.equal(gateway.count(), 0);
});

t.test('what is sent is as it is, what is delivered is framed by the script', async (t) => {
  const { gateway, script, port, counts } = await listening();
  t.teardown(() => gateway.close());
  const socket = await dial(port);
  const [connection] = await script.connections.first(1);
  const lent = Buffer.from('lent');
  t.equal(connection.send(lent, true), 'sent');
  lent.fill('x');
  t.equal(connection.deliver(Buffer.from('pushed'), false), 'sent');
  t.equal(connection.deliver(Buffer.from('!'), false), 'refused');
  t.equal(await read(socket, 12), 'lent<pushed>');
  t.equal(counts.get('drops_total:encode_failed'), 1);
});

t.test(
  'a publish reaches TCP and WebSocket subscribers, each in its own framing, and counts a failed frame',
  async (t) => {
    const { gateway, script, port, websocketScript } = await listening();
    t.teardown(() => gateway.close());
    const { port: webPort } = await gateway.listenWebSocket(CONFIG, websocketScript);
    for (const size of [1, 20]) {
      const audience = new TestAudience(`c${size}`, gateway);
      const sockets: Socket[] = [];
      const clients: Client[] = [];
      for (let i = 0; i < size; i++) {
        sockets.push(await dial(port));
        clients.push(await Client.open(webPort));
      }
      await script.connections.first(size === 1 ? 1 : 21);
      for (const connection of script.connections.all.slice(-size)) audience.join(connection);
      for (const { connection } of websocketScript.handshakes.all.slice(-size)) audience.join(connection);
      t.same(audience.publish('hello'), { success: 2 * size, fail: 0 });
      for (const socket of sockets) t.equal(await read(socket, 7), '<hello>');
      for (const client of clients) t.same(await client.received.first(1), ['hello']);
      t.same(audience.publish('!'), { success: size, fail: size });
    }
  },
);

t.test('close sends what is queued first; close during a read hands nothing more to the script', async (t) => {
  const { gateway, script, port } = await listening();
  t.teardown(() => gateway.close());
  const socket = await dial(port);
  const [connection] = await script.connections.first(1);
  const large = 'z'.repeat(300_000);
  connection.send(Buffer.from(large), true);
  connection.close();
  t.notOk(connection.isOpen);
  t.equal(connection.send(Buffer.from('late'), true), 'closed');
  t.equal((await read(socket, large.length)).length, large.length);
  await script.closes.first(1);
  t.same(script.closes.all, [null]);
});

t.test('a client that resets its connection is told to the script with the reason', async (t) => {
  const { gateway, script, port } = await listening();
  t.teardown(() => gateway.close());
  const socket = await dial(port);
  await script.connections.first(1);
  socket.resetAndDestroy();
  t.same(await script.closes.first(1), ['ECONNRESET']);
});

t.test('a client that does not read is cut off at its bound, or skipped where the server says so', async (t) => {
  for (const onSlow of ['close', 'drop'] as const) {
    const { gateway, script, port, counts } = await listening({ ...SOCKET, maxBackpressureBytes: 100_000, onSlow });
    const socket = await dial(port);
    socket.pause();
    socket.on('error', () => {});
    const [connection] = await script.connections.first(1);
    const chunk = Buffer.alloc(50_000);
    let outcome = connection.send(chunk, true);
    for (let i = 0; i < 1000 && outcome === 'sent'; i++) {
      await turn();
      outcome = connection.send(chunk, true);
    }
    if (onSlow === 'close') {
      t.equal(outcome, 'slow_consumer');
      t.same(await script.closes.first(1), ['slow consumer']);
      t.equal(counts.get('drops_total:slow_consumer'), 1);
    } else {
      t.equal(outcome, 'dropped');
      t.equal(counts.get('drops_total:slow_consumer_skipped'), 1);
      t.ok(connection.isOpen);
    }
    gateway.close();
    socket.destroy();
  }
});

t.test('pausing stops reading from the client', async (t) => {
  const { gateway, script, port } = await listening();
  t.teardown(() => gateway.close());
  const socket = await dial(port);
  const [connection] = await script.connections.first(1);
  connection.pause();
  socket.write('later');
  await turn();
  t.same(script.chunks.all, []);
  connection.resume();
  t.equal(await read(socket, 5), 'later');
});

t.test('a silent client is cut off after the timeout', async (t) => {
  const { gateway, script, port, clock, counts } = await listening({ ...SOCKET, idleTimeoutSeconds: 3 });
  t.teardown(() => gateway.close());
  const silent = await dial(port);
  const alive = await dial(port);
  await clock.advance(2000);
  alive.write('x');
  await read(alive, 1);
  await clock.advance(1400);
  t.same(await script.closes.first(1), ['idle timeout']);
  t.equal(gateway.count(), 1);
  t.equal(counts.get('drops_total:idle_timeout'), 1);
  silent.destroy();
});

t.test('one connection more than allowed is refused, and counted', async (t) => {
  const { gateway, script, port, counts } = await listening({ ...SOCKET, maxConnections: 1 });
  t.teardown(() => gateway.close());
  await dial(port);
  await script.connections.first(1);
  const refused = await dial(port);
  refused.on('error', () => {});
  refused.resume();
  await once(refused, 'close');
  t.equal(counts.get('drops_total:connection_limit'), 1);
});

t.test('a taken port is an error that names it', async (t) => {
  const { gateway, port } = await listening();
  const other = setup();
  t.teardown(() => {
    gateway.close();
    other.gateway.close();
  });
  await t.rejects(other.gateway.listenSocket({ ...SOCKET, port }, new EchoScript()), {
    message: `port ${port} on 127.0.0.1 is taken by another process. Free it, or set another`,
  });
});

t.test('sharing a port works where Node.js can do it, and is refused clearly where it cannot', async (t) => {
  const one = setup(true);
  t.teardown(() => one.gateway.close());
  const [major, minor] = process.versions.node.split('.').map(Number);
  const opened = one.gateway.listenSocket(SOCKET, new EchoScript());
  if (major > 22 || (major === 22 && minor >= 12)) await t.resolves(opened);
  else await t.rejects(opened, { message: /socket servers need Node\.js 22\.12/ });
});

t.test('draining ends the clients and takes no new ones', async (t) => {
  const { gateway, script, port, clock } = await listening();
  t.teardown(() => gateway.close());
  const socket = await dial(port);
  await script.connections.first(1);
  const closed = once(socket.resume(), 'close');
  const drained = gateway.drain(1);
  await clock.advance(1000);
  await closed;
  await t.rejects(dial(port), { code: 'ECONNREFUSED' });
  await clock.advance(4000);
  await drained;
  t.same(script.closes.all, ['1012 service restart']);
});
