import { request } from 'node:http';
import t from 'tap';
import { claimPort } from '../ports.js';
import { Client, CONFIG, dial, setup, turn } from './harness.js';

t.test('text and binary arrive byte for byte in both directions', async (t) => {
  const { gateway, script, counts } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  const client = await Client.open(port);
  client.socket.send('hé');
  client.socket.send(Buffer.from([0, 255, 10]));
  const messages = await script.messages.first(2);
  t.same(
    messages.map(({ text, binary }) => [text, binary]),
    [
      [Buffer.from('hé').toString('latin1'), false],
      ['\x00\xff\n', true],
    ],
  );
  const { connection } = messages[0];
  t.equal(connection.send(Buffer.from('back'), false), 'sent');
  t.equal(connection.send(Buffer.from([1, 254]), true), 'sent');
  t.same(await client.received.first(2), ['back', 'b:\x01\xfe']);
  await turn();
  t.equal(counts.get('messages_received_total:websocket'), 2);
});

t.test('a connection is found by its id while it is open', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  const client = await Client.open(port);
  const [{ connection }] = await script.handshakes.first(1);
  await turn();
  t.match(connection.id, /^[0-9]{10,19}$/);
  t.equal(gateway.connection(connection.id), connection);
  t.equal(gateway.count(), 1);
  t.equal(gateway.counts().get('websocket'), 1);
  t.match(connection.remoteAddress, /^127\.0\.0\.1:/);
  client.socket.close(1000);
  const [{ error }] = await script.closes.first(1);
  t.equal(error, null, 'a clean close has no error');
  t.equal(gateway.connection(connection.id), undefined);
  t.equal(gateway.count(), 0);
  t.equal(connection.isOpen, false);
  t.equal(connection.send(Buffer.from('late'), false), 'closed');
});

t.test('the script sees the whole upgrade request and may decide later', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  script.judge = (_request, done) => setImmediate(() => done({ accept: true }));
  await Client.open(port, '/?token=a%20b', { headers: { 'X-Thing': 'Yes' } });
  const [{ request }] = script.handshakes.all;
  t.equal(request.method, 'GET');
  t.equal(request.requestUri, '/?token=a%20b');
  t.equal(request.serverProtocol, 'HTTP/1.1');
  t.equal(request.host, `127.0.0.1:${port}`);
  const headers = new Map(request.headers);
  t.equal(headers.get('x-thing'), 'Yes');
  t.ok(headers.get('sec-websocket-key'));
});

t.test('a refused handshake is answered with the status and body of the script', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  script.judge = (_request, done) => done({ accept: false, status: 403, body: 'no ticket' });
  await t.rejects(Client.open(port), { message: '403 no ticket' });
  script.judge = (_request, done) => setImmediate(() => done({ accept: false, status: 429, body: 'later' }));
  await t.rejects(Client.open(port), { message: '429 later' });
  t.equal(gateway.count(), 0);
});

t.test('a client that leaves during its handshake is forgotten', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket({ ...CONFIG, maxConnections: 1 }, script);
  let late = () => {};
  script.judge = (_request, done) => {
    late = () => done({ accept: true });
  };
  const socket = await dial(port);
  socket.write(UPGRADE);
  await script.handshakes.first(1);
  socket.destroy();
  script.judge = (_request, done) => done({ accept: true });
  let client: Client | null = null;
  while (!client) client = await Client.open(port).catch(() => null);
  late();
  await turn();
  t.equal(gateway.count(), 1, 'the late answer opens nothing');
});

const UPGRADE =
  'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';

t.test('a handshake that the script never answers ends with 503', async (t) => {
  const { gateway, script, clock } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket({ ...CONFIG, idleTimeoutSeconds: 5 }, script);
  script.judge = () => {};
  const refused = t.rejects(Client.open(port), { message: /^503 The handshake was not answered in time/ });
  await script.handshakes.first(1);
  await clock.advance(6000);
  await refused;
});

t.test('only the configured path upgrades; everything else is told where to go', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const config = { ...CONFIG, options: [{ name: 'path', value: '/chat' }] };
  const { port } = await gateway.listenWebSocket(config, script);
  await Client.open(port, '/chat?x=1');
  await t.rejects(Client.open(port, '/'), { message: /^404 Nothing is at \/: this server speaks WebSocket at \/chat/ });
  await t.rejects(Client.open(port, '/chat/x'), { message: /^404/ });
  t.match(await http(port, 'GET', '/x'), [404, /speaks WebSocket at \/chat/]);
  t.match(await http(port, 'POST', '/x'), [404, /Nothing is at \/x/]);
  t.match(await http(port, 'GET', '/chat'), [426, /upgrade request/]);
});

function http(port: number, method: string, path: string): Promise<[number, string]> {
  return new Promise((resolve, reject) => {
    request({ port, method, path, host: '127.0.0.1' }, (response) => {
      let body = '';
      response.on('data', (chunk) => {
        body += chunk;
      });
      response.on('end', () => resolve([response.statusCode ?? 0, body]));
    })
      .on('error', reject)
      .end();
  });
}

t.test('an oversize message closes that client with 1009, and only that client', async (t) => {
  const { gateway, script, counts } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket({ ...CONFIG, maxPayloadBytes: 1000 }, script);
  const good = await Client.open(port);
  const bad = await Client.open(port);
  const worse = await Client.open(port);
  bad.socket.send('x'.repeat(1001));
  t.match(await bad.closed, { code: 1009, reason: 'message too large' });
  worse.socket.send('x'.repeat(6 * 1024 * 1024));
  t.equal((await worse.closed).code, 1006, 'far beyond, the library closes without a word');
  good.socket.send('y'.repeat(1000));
  const [{ text }] = await script.messages.first(1);
  t.equal(text.length, 1000);
  for (const { error } of script.closes.all)
    t.equal(error, '1009 message too large', 'the script is told all the same');
  t.equal(counts.get('drops_total:too_large'), 2);
});

t.test('one connection more than allowed is refused, and counted', async (t) => {
  const { gateway, script, counts } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket({ ...CONFIG, maxConnections: 2 }, script);
  const first = await Client.open(port);
  await Client.open(port);
  await t.rejects(Client.open(port), { message: /^503 This server is full: it takes 2 connections/ });
  t.equal(counts.get('drops_total:connection_limit'), 1);
  first.socket.close();
  await script.closes.first(1);
  await Client.open(port);
});

t.test('close tells the client code and reason after everything that was sent before', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  const client = await Client.open(port);
  const [{ connection }] = script.handshakes.all;
  connection.send(Buffer.from('last words'), false);
  connection.close(4001, 'é'.repeat(100));
  t.equal(connection.isOpen, false, 'closed at once for senders');
  t.same(script.closes.all, [], 'but the script is told after its own call');
  t.same(await client.closed, { code: 4001, reason: 'é'.repeat(61) });
  t.same(client.received.all, ['last words']);
  t.equal(script.closes.all[0].error, null);
});

t.test('what is sent may be lent: the caller can use the memory again at once', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  const client = await Client.open(port);
  const [{ connection }] = script.handshakes.all;
  const lent = Buffer.from('first');
  connection.send(lent, false);
  lent.write('xxxxx');
  connection.deliver(lent, false);
  lent.write('yyyyy');
  script.message = () => {
    connection.send(lent, false);
    lent.write('zzzzz');
  };
  client.socket.send('now');
  t.same(await client.received.first(3), ['first', 'xxxxx', 'yyyyy']);
});

t.test('a close code that must not travel becomes 1000', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  for (const code of [1006, 42, 5000]) {
    const client = await Client.open(port);
    script.handshakes.all.at(-1)?.connection.close(code);
    t.equal((await client.closed).code, 1000);
  }
});

t.test('a connection that breaks is an abnormal closure', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  const client = await Client.open(port);
  client.socket.terminate();
  const [{ error }] = await script.closes.first(1);
  t.equal(error, '1006 abnormal closure');
});

t.test('a client that is silent for the whole timeout is closed; one that answers pings stays', async (t) => {
  for (const seconds of [1, 60, 5000]) {
    const { gateway, script, clock } = setup();
    const { port } = await gateway.listenWebSocket({ ...CONFIG, idleTimeoutSeconds: seconds }, script);
    const alive = await Client.open(port);
    const dead = await Client.open(port, '/', { autoPong: false });
    const pinged = new Promise((resolve) => alive.socket.once('ping', resolve));
    await clock.advance(seconds * 500);
    await pinged;
    alive.socket.ping();
    await new Promise((resolve) => alive.socket.once('pong', resolve));
    t.equal(gateway.count(), 2);
    await clock.advance(seconds * 650);
    t.match(await dead.closed, { code: 1001, reason: 'idle timeout' });
    t.equal(script.closes.all[0].error, 'idle timeout');
    t.equal(gateway.count(), 1, `with ${seconds} s`);
    gateway.close();
  }
});

t.test('without an idle timeout a silent client stays', async (t) => {
  const { gateway, script, clock } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket({ ...CONFIG, idleTimeoutSeconds: 0 }, script);
  await Client.open(port, '/', { autoPong: false });
  await clock.advance(1_000_000);
  t.equal(gateway.count(), 1);
});

t.test('a paused connection keeps what arrives, in order, and hands it over when resumed', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  const client = await Client.open(port);
  const [{ connection }] = script.handshakes.all;
  connection.pause();
  for (let i = 0; i < 10; i++) client.socket.send(String(i));
  await new Promise((resolve) => {
    client.socket.ping();
    client.socket.once('pong', resolve);
  });
  t.same(script.messages.all, []);
  connection.resume();
  client.socket.send('10');
  const messages = await script.messages.first(11);
  t.same(
    messages.map(({ text }) => text),
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '10'],
  );
});

t.test('a client that floods a paused connection is closed with 1008 and counted', async (t) => {
  const { gateway, script, counts } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket({ ...CONFIG, maxBackpressureBytes: 20_000 }, script);
  const client = await Client.open(port);
  script.handshakes.all[0].connection.pause();
  for (let i = 0; i < 30; i++) client.socket.send('x'.repeat(1000));
  t.match(await client.closed, { code: 1008, reason: 'too many unanswered messages' });
  t.equal(counts.get('drops_total:unanswered'), 1);
});

t.test('a taken port is an error that names it; sharing must be asked for', async (t) => {
  const port = await claimPort();
  const config = { ...CONFIG, port };
  const one = setup();
  const two = setup();
  t.teardown(() => {
    one.gateway.close();
    two.gateway.close();
  });
  await one.gateway.listenWebSocket(config, one.script);
  await t.rejects(two.gateway.listenWebSocket(config, two.script), {
    message: `port ${port} on 127.0.0.1 is taken by another process. Free it, or set another`,
  });
  await t.rejects(two.gateway.listenWebSocket({ ...config, bind: '192.0.2.1' }, two.script), {
    message: /this machine has no address 192\.0\.2\.1/,
  });
});

t.test('several processes may share one port when all of them ask for it', async (t) => {
  const port = await claimPort();
  const config = { ...CONFIG, port };
  const one = setup(true);
  const two = setup(true);
  t.teardown(() => {
    one.gateway.close();
    two.gateway.close();
  });
  await one.gateway.listenWebSocket(config, one.script);
  await two.gateway.listenWebSocket(config, two.script);
  for (let i = 0; i < 40; i++) await Client.open(port);
  t.equal(one.gateway.count() + two.gateway.count(), 40);
});

t.test('draining closes everybody with 1012, spread over the time, and lets nobody in', async (t) => {
  const { gateway, script, clock, unsubscribed } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  const clients: Client[] = [];
  for (let i = 0; i < 10; i++) clients.push(await Client.open(port));
  const drained = gateway.drain(10);
  await t.rejects(Client.open(port), { code: 'ECONNREFUSED' });
  await clock.advance(5000);
  t.ok(gateway.count() >= 4 && gateway.count() <= 6, `half of them after half of the time: ${gateway.count()}`);
  await clock.advance(5100);
  await drained;
  t.equal(gateway.count(), 0);
  t.equal(
    new Set(unsubscribed).size,
    10,
    'and takes them off their channels, so that no publish fails because of them',
  );
  for (const client of clients) t.match(await client.closed, { code: 1012, reason: 'service restart' });
});

t.test('random bytes on the port harm nobody', async (t) => {
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  const good = await Client.open(port);
  for (const bytes of [
    '\x00\x01\x02\xff',
    'GET\r\n\r\n',
    `${UPGRADE}\xff\xff\xff\xff\xff\xff`,
    `${UPGRADE}\x88\x85abcd`,
  ]) {
    const socket = await dial(port);
    socket.on('error', () => {});
    socket.resume();
    socket.end(Buffer.from(bytes, 'latin1'));
    await new Promise((resolve) => socket.once('close', resolve));
  }
  good.socket.send('still here');
  const messages = await script.messages.first(1);
  t.equal(messages[0].text, 'still here');
});
