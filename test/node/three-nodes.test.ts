import t from 'tap';
import { Client, post, startMesh } from './cluster.js';

const nodes = await startMesh(3);
t.teardown(() => Promise.all(nodes.map((node) => node.close())));

async function subscribed(node: number, channel: string): Promise<Client> {
  const client = await Client.open(nodes[node].addresses.clients[0]);
  t.same(await client.ask({ op: 'subscribe', channel }), { op: 'subscribe', channel, success: true });
  return client;
}

t.test(
  'the phone, the PC and the tablet on three nodes all get a publish over HTTP, and the counts say so',
  async (t) => {
    const devices = await Promise.all([0, 1, 2].map((node) => subscribed(node, 'user:1001')));
    const answer = await post(nodes[0], '/v1/mesh/publish', '{"c":"user:1001","d":"Hello,World!"}');
    t.equal(answer, '{"E":null,"r":{"s":3,"f":0}}');
    for (const device of devices) {
      const { data, binary } = await device.next();
      t.equal(data.toString(), 'Hello,World!');
      t.equal(binary, false);
      t.same(device.rest(), [], 'one copy each');
      device.close();
    }
  },
);

t.test('a publish from Lua on any node reaches the others and returns the counts', async (t) => {
  const subscribers = await Promise.all([0, 1, 2].map((node) => subscribed(node, 'from-lua')));
  const publisher = await Client.open(nodes[1].addresses.clients[0]);
  t.same(await publisher.ask({ op: 'publish', channel: 'from-lua', data: 'ünïcödé' }), {
    op: 'publish',
    success: 3,
    fail: 0,
  });
  for (const subscriber of subscribers) {
    t.equal(await subscriber.text(), 'ünïcödé');
    subscriber.close();
  }
  publisher.close();
});

t.test('binary arrives byte for byte', async (t) => {
  const subscriber = await subscribed(2, 'bytes');
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const answer = await post(nodes[0], '/v1/mesh/publish', { c: 'bytes', d: bytes.toString('base64'), t: 'binary' });
  t.equal(answer, '{"E":null,"r":{"s":1,"f":0}}');
  const { data, binary } = await subscriber.next();
  t.equal(binary, true);
  t.same(data, bytes);
  subscriber.close();
});

t.test('messages of one publisher arrive in order, each once', async (t) => {
  const subscriber = await subscribed(1, 'ordered');
  const publisher = await Client.open(nodes[0].addresses.clients[0]);
  const count = 2000;
  for (let i = 0; i < count; i++) publisher.send({ op: 'publish', channel: 'ordered', data: String(i) });
  for (let i = 0; i < count; i++) {
    const text = await subscriber.text();
    if (text !== String(i)) t.equal(text, String(i));
  }
  const counts = new Set<string>();
  for (let i = 0; i < count; i++) counts.add(await publisher.text());
  t.same([...counts], ['{"op":"publish","success":1,"fail":0}']);
  t.same(subscriber.rest(), []);
  subscriber.close();
  publisher.close();
});

t.test(
  'a subscribe is a promise: what is published on another node right after its answer arrives, thousands of times',
  async (t) => {
    const rounds = 3000;
    const subscriber = await Client.open(nodes[0].addresses.clients[0]);
    const publisher = await Client.open(nodes[2].addresses.clients[0]);
    let missed = 0;
    for (let i = 0; i < rounds; i++) {
      const channel = `promise:${i}`;
      const { success } = await subscriber.ask({ op: 'subscribe', channel });
      const counts = await publisher.ask({ op: 'publish', channel, data: channel });
      if (!success || counts.success !== 1 || counts.fail !== 0) missed += 1;
      else if ((await subscriber.text()) !== channel) missed += 1;
    }
    t.equal(missed, 0);
    subscriber.close();
    publisher.close();
  },
);

t.test('after an unsubscribe nothing arrives any more', async (t) => {
  const client = await subscribed(1, 'left');
  t.same(await client.ask({ op: 'unsubscribe', channel: 'left' }), {
    op: 'unsubscribe',
    channel: 'left',
    success: true,
  });
  t.equal(await post(nodes[0], '/v1/mesh/publish', { c: 'left', d: 'x' }), '{"E":null,"r":{"s":0,"f":0}}');
  t.same(client.rest(), []);
  client.close();
});

t.test('a client that has gone counts no more, neither as reached nor as failed', async (t) => {
  const client = await subscribed(1, 'gone');
  const other = await subscribed(2, 'gone');
  client.close();
  await client.closed;
  // Its node hears of the close on its own way; what it answers to a request that follows shows that it has.
  for (let open = 1; open > 0; ) open = await connections(1);
  t.equal(await post(nodes[0], '/v1/mesh/publish', { c: 'gone', d: 'x' }), '{"E":null,"r":{"s":1,"f":0}}');
  other.close();
});

t.test('a delivery is counted once', async (t) => {
  const client = await subscribed(1, 'counted');
  const before = await deliveries(1);
  for (let i = 0; i < 5; i++) await post(nodes[0], '/v1/mesh/publish', { c: 'counted', d: 'x' });
  for (let i = 0; i < 5; i++) await client.next();
  t.equal((await deliveries(1)) - before, 5);
  client.close();
});

async function deliveries(node: number): Promise<number> {
  const text = await (await fetch(`http://${nodes[node].addresses.api}/metrics`)).text();
  return Number(/^lumesh_deliveries_total (\d+)$/m.exec(text)?.[1] ?? 0);
}

async function connections(node: number): Promise<number> {
  const answer = await fetch(`http://${nodes[node].addresses.api}/v1/nodes`);
  const { r } = (await answer.json()) as { r: { nodeId: string; connections: number }[] };
  return r.find(({ nodeId }) => nodeId === nodes[node].mesh.nodeId)?.connections ?? 0;
}
