/**
 * The way a login goes when the back end decides: Lua hands it to the queue and waits, a back end that consumes the queue sets the
 * connection's context through any node, Lua goes on and subscribes.
 */
import t from 'tap';
import { createNode, type LumeshNode } from '../../src/index.js';
import { Client } from './live.js';

const ENTRY = `
function on_message(msg)
  local conn = mix.websocket()
  local request = mix.json_decode(msg["data"])
  local n, err = mix.queue.push("login", { token = request["token"], big = 9007199254740993 })
  if err then return conn:send("queue: " .. err) end
  local uid = conn:wait_context_value("uid", 10)
  if uid == nil then return conn:send("login timed out") end
  local err = conn:subscribe("user:" .. uid)
  conn:send(err and ("subscribe: " .. err) or ("welcome " .. uid))
end
`;

async function node(t: import('tap').Test, id: string, entry: string, seeds: string[]): Promise<LumeshNode> {
  const running = await createNode({
    node: { id },
    cluster: { port: 0, seeds, profile: 'local' },
    api: { port: 0, grpcPort: 0 },
    servers: [{ port: 0, bind: '127.0.0.1', entry }],
    drainSeconds: 0,
    logging: { level: 'error' },
  });
  t.teardown(() => running.close());
  return running;
}

t.test('a login through the queue and conn.call, with the back end on another node', async (t) => {
  const entry = `${t.testdir({ 'entry.lua': ENTRY })}/entry.lua`;
  const first = await node(t, 'one', entry, []);
  const second = await node(t, 'two', entry, [first.addresses.peers]);
  const consumer = await Client.open(`ws://${first.addresses.api}/ws/v1`);
  t.match(await consumer.ask({ m: 'queue.pop', p: { t: ['login'] }, i: 1 }), '"s":true');

  const phone = await Client.open(`ws://${first.addresses.clients[0]}/`);
  phone.send({ token: 'letmein' });
  const pushed = await consumer.next();
  t.match(pushed, '9007199254740993', 'integers keep their digits');
  const event = JSON.parse(pushed);
  t.match(event, { e: 'queue.pop', p: { n: 'one', t: 'login', d: { token: 'letmein' } } });
  t.match(event.p.c, /^\d+$/);

  const elsewhere = await Client.open(`ws://${second.addresses.api}/ws/v1`);
  const set = { c: event.p.c, f: 'set_context_value', a: ['uid', 1001] };
  t.equal(await elsewhere.ask({ m: 'conn.call', p: set, i: 2 }), '{"E":null,"r":{"s":true},"i":2}');
  t.equal(await phone.next(), 'welcome 1001');

  const publish = { m: 'mesh.publish', p: { c: 'user:1001', d: 'Hello,World!' }, i: 3 };
  t.equal(await elsewhere.ask(publish), '{"E":null,"r":{"s":1,"f":0},"i":3}');
  t.equal(await phone.next(), 'Hello,World!');
  t.equal(
    await elsewhere.ask({ m: 'mesh.send', p: { c: event.p.c, d: 'only you' }, i: 4 }),
    '{"E":null,"r":{"s":true},"i":4}',
  );
  t.equal(await phone.next(), 'only you');

  t.match(JSON.parse(await elsewhere.ask({ m: 'conn.call', p: { c: event.p.c, f: 'close', a: [4000, 'bye'] } })), {
    E: null,
  });
  t.equal(await phone.closed, 4000);
  t.match(JSON.parse(await elsewhere.ask({ m: 'mesh.send', p: { c: event.p.c, d: 'x' } })), { E: { c: 401 } });
  t.match(JSON.parse(await elsewhere.ask({ m: 'conn.call', p: set })), { E: { c: 301 } });
  t.match(JSON.parse(await elsewhere.ask({ m: 'mesh.send', p: { c: '6442450944000000001', d: 'x' } })), {
    E: { c: 401 },
  });
});
