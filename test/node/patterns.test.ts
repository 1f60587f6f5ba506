/** Patterns from a client's Lua to a back end's publish, over three real nodes. */
import { join } from 'node:path';
import grpc from '@grpc/grpc-js';
import t from 'tap';
import { lumeshClient, subscribe } from '../api/lumesh-client.js';
import { Client, post, startMesh } from './cluster.js';

/** The script does what its client says. */
const folder = t.testdir({
  'entry.lua': `
    function on_message(msg)
      local conn, request = mix.websocket(), mix.json_decode(msg.data)
      local err = conn[request.op](conn, table.unpack(request.names))
      conn:send(mix.json_encode({ op = request.op, err = err or mix.null, clientId = conn:client_id() }))
    end`,
});
const nodes = await startMesh(3, {
  cluster: { maxPatterns: 3 },
  servers: [{ port: 0, bind: '127.0.0.1', entry: join(folder, 'entry.lua'), maxSubscriptions: 4 }],
});
t.teardown(() => Promise.all(nodes.map((node) => node.close())));

const open = (node: number): Promise<Client> => Client.open(nodes[node].addresses.clients[0]);

async function did(client: Client, op: string, ...names: string[]): Promise<void> {
  t.match(await client.ask({ op, names }), { op, err: null });
}

const publish = (node: number, channel: string, text: string): Promise<string> =>
  post(nodes[node], '/v1/mesh/publish', { c: channel, d: text });

const counts = (success: number): string => `{"E":null,"r":{"s":${success},"f":0}}`;

t.test('one subscribe to a pattern gets what is published on every channel that matches, from any node', async (t) => {
  const client = await open(1);
  await did(client, 'psubscribe', 'room.*.chat');
  for (const node of [0, 1, 2]) {
    t.equal(await publish(node, `room.${node}.chat`, `from ${node}`), counts(1));
    t.equal(await publish(node, `room.${node}.video`, 'not for it'), counts(0));
    t.equal(await client.text(), `from ${node}`);
  }
  const report = await fetch(`http://${nodes[0].addresses.api}/v1/channels/room.7.chat`);
  const route = [{ nodeId: 'node-2', why: 'pattern' }];
  t.match(await report.json(), { r: { patterns: ['room.*.chat'], subscribers: { 'node-2': 1 }, route } });
  await did(client, 'punsubscribe', 'room.*.chat');
  t.equal(await publish(0, 'room.1.chat', 'too late'), counts(0));
  t.same(client.rest(), []);
  client.close();
});

t.test('a wide pattern and a wide channel of the same clients: each gets and counts both, in order', async (t) => {
  const clients = await Promise.all(Array.from({ length: 12 }, () => open(2)));
  for (const client of clients) await did(client, 'psubscribe', 'wide.*');
  for (const client of clients.slice(0, 10)) await did(client, 'subscribe', 'wide.1', 'wide.*');
  for (let i = 0; i < 20; i++) t.equal(await publish(0, 'wide.1', String(i)), counts(22));
  t.equal(await publish(0, 'wide.2', 'end'), counts(12));
  for (const [at, client] of clients.entries()) {
    const copies = at < 10 ? 2 : 1;
    const texts: string[] = [];
    for (let text = await client.text(); text !== 'end'; text = await client.text()) texts.push(text);
    t.equal(texts.length, 20 * copies);
    const each = [...new Set(texts)];
    t.same(each, [...Array(20).keys()].map(String), 'in order');
  }
  t.equal(await publish(1, 'wide.*', 'the channel of that name'), counts(22));
  for (const client of clients) {
    client.close();
    await client.closed;
  }
});

t.test('unsubscribing from all ends channels, and its sister patterns; each leaves the other alone', async (t) => {
  const client = await open(0);
  await did(client, 'subscribe', 'a.1');
  await did(client, 'psubscribe', 'a.*', '*.1');
  t.equal(await publish(1, 'a.1', 'three copies'), counts(3));
  await did(await drained(client, 3), 'unsubscribe');
  t.equal(await publish(1, 'a.1', 'two copies'), counts(2));
  await did(await drained(client, 2), 'punsubscribe');
  t.equal(await publish(1, 'a.1', 'nobody'), counts(0));
  client.close();
});

async function drained(client: Client, count: number): Promise<Client> {
  for (let i = 0; i < count; i++) await client.next();
  return client;
}

t.test('too many subscriptions of a client, and too many patterns of a node, are refused in words', async (t) => {
  const client = await open(0);
  await did(client, 'psubscribe', 'a*', 'b*', 'c*');
  t.match(await client.ask({ op: 'psubscribe', names: ['d*'] }), { err: /cluster\.maxPatterns/ });
  await did(client, 'subscribe', 'a');
  t.match(await client.ask({ op: 'subscribe', names: ['b'] }), { err: /maxSubscriptions/ });
  t.match(await client.ask({ op: 'psubscribe', names: ['a b*'] }), { err: /a pattern must not contain white space/ });
  const metrics = await (await fetch(`http://${nodes[0].addresses.api}/metrics`)).text();
  t.match(metrics, /^lumesh_patterns 3$/m);
  t.match(metrics, /^lumesh_drops_total\{reason="too_many_patterns"\} 1$/m);
  client.close();
  await client.closed;
});

t.test('a back end subscribes to patterns at one node, and gets what is published at another', async (t) => {
  const backEnd = await Client.open(nodes[1].addresses.api, '/ws/v1');
  const done = { E: null, r: { s: true } };
  t.same(await backEnd.ask({ m: 'mesh.psubscribe', p: { p: ['order.*'] } }), done);
  t.equal(await publish(0, 'order.7', 'paid'), counts(1));
  const event = { e: 'mesh.psubscribe', p: { p: 'order.*', c: 'order.7', t: 'text', d: 'paid' } };
  t.same(JSON.parse(await backEnd.text()), event);
  t.match(await backEnd.ask({ m: 'mesh.psubscribe', p: { p: ['a*', 'b*', 'c*'] } }), {
    E: { c: 104, m: /node_limit/ },
  });
  t.equal(nodes[1].mesh.counts().patterns, 1, 'all of a call or none');
  t.same(await backEnd.ask({ m: 'mesh.punsubscribe' }), done);
  t.equal(await publish(0, 'order.7', 'too late'), counts(0));
  backEnd.close();
});

t.test('a gRPC stream of patterns ends with its cancellation', async (t) => {
  const client = lumeshClient(nodes[2].addresses.grpc);
  const stream = subscribe(client, ['order.7'], new grpc.Metadata(), ['order.*']);
  const ended = new Promise((resolve) => stream.on('error', resolve));
  await new Promise((resolve) => stream.once('metadata', resolve));
  const came: unknown[] = [];
  const both = new Promise<void>((resolve) =>
    stream.on('data', (message: unknown) => came.push(message) === 2 && resolve()),
  );
  t.equal(await publish(0, 'order.7', 'paid'), counts(2));
  await both;
  const message = { channel: 'order.7', data: Buffer.from('paid'), binary: false };
  t.match(came, [
    { ...message, pattern: '' },
    { ...message, pattern: 'order.*' },
  ]);
  stream.cancel();
  t.match(await ended, { code: grpc.status.CANCELLED });
  client.close();
  while ((await publish(0, 'order.7', 'too late')) !== counts(0));
});

t.test('a back end subscribes a connection of another node to patterns, and ends that', async (t) => {
  const client = await open(1);
  const { clientId: c } = await client.ask({ op: 'client_id', names: [] });
  const call = (f: string, ...a: string[]) => post(nodes[0], '/v1/conn/call', { c, f, a });
  t.equal(await call('psubscribe', 'order.*', '*.7'), '{"E":null,"r":{"s":true}}');
  t.equal(await publish(2, 'order.7', 'paid'), counts(2));
  t.same([await client.text(), await client.text()], ['paid', 'paid']);
  t.match(await call('psubscribe', 'a *'), /a pattern must not contain white space/);
  t.equal(await call('punsubscribe', 'order.*'), '{"E":null,"r":{"s":true}}');
  t.equal(await publish(2, 'order.7', 'sent'), counts(1));
  t.equal(await call('punsubscribe'), '{"E":null,"r":{"s":true}}');
  t.equal(await publish(2, 'order.7', 'too late'), counts(0));
  client.close();
  await client.closed;
});

t.test('a client that goes takes its patterns with it', async (t) => {
  const client = await open(1);
  await did(client, 'psubscribe', 'gone.*');
  client.close();
  await client.closed;
  let answer = '';
  while (answer !== counts(0)) answer = await publish(0, 'gone.1', 'x');
  t.equal(nodes[1].mesh.counts().patterns, 0);
});
