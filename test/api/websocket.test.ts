import { once } from 'node:events';
import t from 'tap';
import { WebSocket } from 'ws';
import { type Client, live } from './live.js';

t.test('a call is answered with its id, given as i or id, as number or string', async (t) => {
  const { mesh, socket } = await live(t);
  mesh.result = { success: 9, fail: 0, unconfirmed: [] };
  const client = await socket();
  const call = { m: 'mesh.publish', p: { c: 'c', d: 'x' } };
  t.equal(await client.ask({ ...call, i: 12345 }), '{"E":null,"r":{"s":9,"f":0},"i":12345}');
  t.equal(await client.ask({ ...call, id: 'abc' }), '{"E":null,"r":{"s":9,"f":0},"i":"abc"}');
  t.equal(await client.ask(call), '{"E":null,"r":{"s":9,"f":0}}');
  const long = `{"m":"mesh.send","p":{"c":6442450944000000001,"d":"x"},"i":18446744073709551615}`;
  t.equal(await client.ask(long), '{"E":null,"r":{"s":true},"i":18446744073709551615}');
  t.equal(mesh.sent[0].clientId, '6442450944000000001');
});

t.test('the text ping is answered pong', async (t) => {
  const client = await (await live(t)).socket();
  t.equal(await client.ask('ping'), 'pong');
});

t.test('unknown fields are ignored, unknown methods and bad messages refused', async (t) => {
  const client = await (await live(t)).socket();
  t.match(await client.ask({ m: 'version', v: 2, i: 1, x: {} }), /"version":"1\.2\.3"/);
  t.match(JSON.parse(await client.ask({ m: 'mesh.shout', i: 2 })), { E: { c: 105 }, i: 2 });
  const bottomless = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
  t.match(JSON.parse(await client.ask(`{"m":${bottomless},"i":2}`)), { E: { c: 105, m: /a list$/ }, i: 2 });
  t.match(JSON.parse(await client.ask({ i: 3 })), { E: { c: 105, m: 'm must name a method' }, i: 3 });
  t.match(JSON.parse(await client.ask('{"m":')), { E: { c: 101 } });
  t.match(JSON.parse(await client.ask('[1]')), { E: { c: 101 } });
  t.match(JSON.parse(await client.ask({ m: 'version', i: {} })), { E: { c: 101 } });
  t.match(JSON.parse(await client.ask({ m: 'version', p: [1], i: 4 })), { E: { c: 101 }, i: 4 });
  t.match(JSON.parse(await client.ask({ m: 'mesh.publish', i: 5 })), { E: { c: 101, m: /d must be a string/ }, i: 5 });
  t.equal(await client.ask('ping'), 'pong');
});

t.test('empty objects may be written as empty lists, as PHP does', async (t) => {
  const { mesh, socket } = await live(t);
  const client = await socket();
  t.match(JSON.parse(await client.ask({ m: 'version', p: [] })), { E: null });
  const p = { c: '6442450944000000001', f: 'set_context', a: [[]] };
  t.match(JSON.parse(await client.ask({ m: 'conn.call', p })), { E: null });
  t.same(mesh.calls[0].args, [{}]);
});

t.test('answers that come later are matched by id, in whatever order they come', async (t) => {
  const { mesh, socket } = await live(t);
  mesh.held = [];
  const client = await socket();
  for (const i of [1, 2, 3]) client.send({ m: 'mesh.publish', p: { c: 'c', d: 'x' }, i });
  while (mesh.held.length < 3) await new Promise(setImmediate);
  for (const answer of mesh.held.reverse()) answer();
  const ids = [];
  for (let n = 0; n < 3; n++) ids.push(JSON.parse(await client.next()).i);
  t.same(ids, [3, 2, 1]);
});

t.test('a connection that closes while calls wait harms nobody', async (t) => {
  const { mesh, socket } = await live(t);
  mesh.held = [];
  const client = await socket();
  client.send({ m: 'mesh.publish', p: { c: 'c', d: 'x' }, i: 1 });
  while (mesh.held.length < 1) await new Promise(setImmediate);
  client.ws.terminate();
  await client.closed;
  mesh.held[0]();
  mesh.held = null;
  t.match(await (await socket()).ask({ m: 'mesh.publish', p: { c: 'c', d: 'x' } }), /"s":0/);
});

t.test('a message over the limit gets error 103 and the connection lives', async (t) => {
  const { socket } = await live(t, { api: { maxBodyBytes: 1024 } });
  const client = await socket();
  t.match(JSON.parse(await client.ask('x'.repeat(1500))), { E: { c: 103 } });
  t.equal(await client.ask('ping'), 'pong');
});

t.test('a back end subscribes to channels and gets their messages as events', async (t) => {
  const { socket, mesh } = await live(t);
  const client = await socket();
  t.equal(await client.ask({ m: 'mesh.subscribe', p: { c: ['a', 'b'] }, i: 1 }), '{"E":null,"r":{"s":true},"i":1}');
  const publisher = await socket();
  t.equal(await publisher.ask({ m: 'mesh.publish', p: { c: 'a', d: 'hi "you"' } }), '{"E":null,"r":{"s":1,"f":0}}');
  t.same(JSON.parse(await client.next()), { e: 'mesh.subscribe', p: { c: 'a', t: 'text', d: 'hi "you"' } });
  await publisher.ask({ m: 'mesh.publish', p: { c: 'b', d: 'AP8=', t: 'binary' } });
  t.same(JSON.parse(await client.next()), { e: 'mesh.subscribe', p: { c: 'b', t: 'binary', d: 'AP8=' } });
  t.match(JSON.parse(await client.ask({ m: 'mesh.unsubscribe', p: { c: 'a' } })), { E: { c: 101, m: /list/ } });
  t.equal(await client.ask({ m: 'mesh.unsubscribe', p: { c: ['a'] }, i: 2 }), '{"E":null,"r":{"s":true},"i":2}');
  t.same(
    [...mesh.subscribers.values()].map(({ size }) => size),
    [0, 1],
  );
  await client.ask({ m: 'mesh.unsubscribe' });
  t.equal(mesh.subscribers.get('b')?.size, 0);
  mesh.subscribeOutcome = { ok: false, reason: 'timeout' };
  t.match(JSON.parse(await client.ask({ m: 'mesh.subscribe', p: { c: ['z'] } })), { E: { c: 104, m: /timeout/ } });
});

t.test('a back end subscribes to patterns, and each event says by which one it came', async (t) => {
  const { socket, mesh } = await live(t);
  const [client, publisher] = [await socket(), await socket()];
  const said = async () => JSON.parse(await client.next());
  t.equal(
    await client.ask({ m: 'mesh.psubscribe', p: { p: ['room.*', '*"1'] }, i: 1 }),
    '{"E":null,"r":{"s":true},"i":1}',
  );
  await client.ask({ m: 'mesh.subscribe', p: { c: ['room."1'] } });
  t.match(JSON.parse(await publisher.ask({ m: 'mesh.publish', p: { c: 'room."1', d: 'hi' } })), { r: { s: 3, f: 0 } });
  const message = { c: 'room."1', t: 'text', d: 'hi' };
  t.same(await said(), { e: 'mesh.psubscribe', p: { p: 'room.*', ...message } });
  t.same(await said(), { e: 'mesh.psubscribe', p: { p: '*"1', ...message } });
  t.same(await said(), { e: 'mesh.subscribe', p: message });
  await client.ask({ m: 'mesh.unsubscribe' });
  await publisher.ask({ m: 'mesh.publish', p: { c: 'room.2', d: 'AP8=', t: 'binary' } });
  t.same(await said(), { e: 'mesh.psubscribe', p: { p: 'room.*', c: 'room.2', t: 'binary', d: 'AP8=' } });
  await client.ask({ m: 'mesh.punsubscribe' });
  t.same(new Set([...mesh.subscribers.values()].map(({ size }) => size)), new Set([0]));
  t.match(JSON.parse(await client.ask({ m: 'mesh.psubscribe', p: { c: ['room.*'] } })), {
    E: { c: 101, m: 'patterns must be a list of strings' },
  });
  mesh.subscribeOutcome = { ok: false, reason: 'node_limit' };
  t.match(JSON.parse(await client.ask({ m: 'mesh.psubscribe', p: { p: ['z*'] } })), { E: { c: 104, m: /node_limit/ } });
});

t.test('a back end that does not read is closed and counted, and others go on', async (t) => {
  const { socket, mesh } = await live(t, { api: { maxBackpressureBytes: 1_000_000 } });
  const stuck = await socket();
  await stuck.ask({ m: 'mesh.subscribe', p: { c: ['a'] } });
  stuck.ws.pause();
  const publisher = await socket();
  let failed = 0;
  for (let i = 0; i < 500 && failed === 0; i++) {
    failed = JSON.parse(await publisher.ask({ m: 'mesh.publish', p: { c: 'a', d: 'x'.repeat(100_000) } })).r.f;
  }
  t.equal(failed, 1);
  t.equal(mesh.counted.get('drops_total/slow_back_end'), 1);
  stuck.ws.resume();
  t.equal(await stuck.closed, 1013);
  t.equal(await publisher.ask({ m: 'mesh.publish', p: { c: 'a', d: 'x' } }), '{"E":null,"r":{"s":0,"f":0}}');
});

t.test('channels of calls that still wait count towards the bound of a connection', async (t) => {
  const { socket, mesh } = await live(t);
  mesh.subscribe = () => {};
  const client = await socket();
  for (let call = 0; call <= 10; call++) {
    client.send({ m: 'mesh.subscribe', p: { c: Array.from({ length: 1000 }, (_, i) => `${call}-${i}`) }, i: call });
  }
  t.match(JSON.parse(await client.next()), { E: { c: 104, m: /at most 10000 channels/ }, i: 10 });
});

t.test('a back end that goes away is taken off its channels and patterns', async (t) => {
  const { socket, mesh } = await live(t);
  const client = await socket();
  await client.ask({ m: 'mesh.subscribe', p: { c: ['a'] } });
  await client.ask({ m: 'mesh.psubscribe', p: { p: ['a*'] } });
  const subscribed = () => [...mesh.subscribers.values()].reduce((sum, { size }) => sum + size, 0);
  t.equal(subscribed(), 2);
  client.ws.terminate();
  while (subscribed() > 0) await new Promise(setImmediate);
  t.pass('unsubscribed');
});

t.test('draining closes connections with 1012 and refuses new ones', async (t) => {
  const { socket, api, url } = await live(t);
  const client = await socket();
  api.drain();
  t.equal(await client.closed, 1012);
  const late = new WebSocket(`${url.replace('http', 'ws')}/ws/v1`);
  const [, response] = await once(late, 'unexpected-response');
  t.equal(response.statusCode, 503);
});

t.test('more connections than allowed, and pages of other sites, are refused at the upgrade', async (t) => {
  const { socket, url } = await live(t, { api: { maxConnections: 1 } });
  const first: Client = await socket();
  const address = `${url.replace('http', 'ws')}/ws/v1`;
  const [, full] = await once(new WebSocket(address), 'unexpected-response');
  t.equal(full.statusCode, 429);
  const [, foreign] = await once(new WebSocket(address, { origin: 'https://evil.example.com' }), 'unexpected-response');
  t.equal(foreign.statusCode, 403);
  t.equal(await first.ask('ping'), 'pong');
});

t.test(
  'an upgrade at another path, and another request than an upgrade at this one, are told where and how',
  async (t) => {
    const { url } = await live(t, { asset: () => ({ type: 'text/html', body: 'the console' }) });
    for (const path of ['/', '/ws']) {
      const [, response] = await once(new WebSocket(url.replace('http', 'ws') + path), 'unexpected-response');
      t.equal(response.statusCode, 404, path);
      t.match(JSON.parse(String(await response.toArray())), {
        E: { c: 105, m: `no WebSocket at ${path}; the WebSocket API is at /ws/v1` },
      });
    }
    for (const method of ['GET', 'POST']) {
      const response = await fetch(`${url}/ws/v1`, { method });
      t.equal(response.status, 426, method);
      t.equal(response.headers.get('upgrade'), 'websocket');
      t.match(await response.json(), { E: { c: 105, m: /^\/ws\/v1 .* wants an upgrade/ } });
    }
    t.equal(await (await fetch(url)).text(), 'the console');
  },
);
