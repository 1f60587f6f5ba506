import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { StartError } from '../../src/node.js';
import { Client, joiningNode, luaFolder, post, quietLog, startMesh, startNode, until } from './cluster.js';

const folder = mkdtempSync(join(tmpdir(), 'lumesh-start-'));
t.teardown(() => rmSync(folder, { recursive: true }));

/** The text with which a node of these settings refuses to start. */
async function refusal(settings: Parameters<typeof startNode>[1]): Promise<string> {
  try {
    const node = await startNode('refused', settings);
    await node.close();
    return 'it started';
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    return error.message;
  }
}

t.test('a port that is taken is named, and nothing stays behind', async (t) => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const entry = `${luaFolder}entry.websocket.lua`;
  t.match(await refusal({ cluster: { port } }), new RegExp(String(port)));
  t.match(await refusal({ api: { port, grpcPort: 0 } }), new RegExp(String(port)));
  t.match(await refusal({ api: { port: 0, grpcPort: port } }), new RegExp(String(port)));
  t.match(await refusal({ servers: [{ port, bind: '127.0.0.1', entry }] }), new RegExp(String(port)));
});

t.test('a script that is missing, does not parse or fails at its top level is named with file and line', async (t) => {
  const script = (name: string, text: string) => {
    writeFileSync(join(folder, name), text);
    return { servers: [{ port: 0, bind: '127.0.0.1', entry: join(folder, name) }] };
  };
  t.match(await refusal({ servers: [{ port: 0, entry: join(folder, 'nowhere.lua') }] }), /nowhere\.lua/);
  t.match(await refusal(script('syntax.lua', 'local x = 1\nfunction on_message(msg\nend\n')), /syntax\.lua:[23]:/);
  t.match(await refusal(script('throws.lua', '\nerror("not today")\n')), /throws\.lua:2: not today/);
  t.match(await refusal(script('forever.lua', 'while true do end\n')), /forever\.lua:1:/);
});

t.test('a callback that throws or loops for ever disturbs nobody else', async (t) => {
  writeFileSync(
    join(folder, 'rogue.lua'),
    `function on_message(msg)
       if msg.data == "throw" then error("thrown") end
       if msg.data == "loop" then while true do end end
       mix.websocket():send(msg.data)
     end`,
  );
  const lines: { level: string; message: string; fields?: unknown }[] = [];
  const settings = {
    lua: { cpuLimitMs: 100 },
    servers: [{ port: 0, bind: '127.0.0.1', entry: join(folder, 'rogue.lua') }],
  };
  const node = await startNode('rogue', settings, quietLog(lines));
  t.teardown(() => node.close());
  const rogue = await Client.open(node.addresses.clients[0]);
  const other = await Client.open(node.addresses.clients[0]);
  rogue.send('throw');
  rogue.send('loop');
  rogue.send('still here');
  t.equal(await rogue.text(), 'still here');
  other.send('hello');
  t.equal(await other.text(), 'hello');
  const errors = JSON.stringify(lines.filter((line) => line.level === 'error' || line.level === 'warn'));
  t.match(errors, /rogue\.lua:2: thrown/);
  t.match(errors, /rogue\.lua:3:/);
  rogue.close();
  other.close();
});

t.test('the default script answers bad input with what was wrong', async (t) => {
  const [node] = await startMesh(1);
  t.teardown(() => node.close());
  const client = await Client.open(node.addresses.clients[0]);
  const errorOf = async (text: string) => {
    client.send(text);
    return (JSON.parse(await client.text()) as { error: string }).error;
  };
  t.match(await errorOf('{'), /^not JSON: /);
  t.match(await errorOf('7'), /expected an object/);
  t.match(await errorOf('{"op":"fly"}'), /subscribe, unsubscribe, publish, ping/);
  t.match(await errorOf('{"op":"subscribe"}'), /subscribe: "channel" must be a string/);
  t.match(await errorOf('{"op":"subscribe","channel":"a b"}'), /white space/);
  t.match(await errorOf(`{"op":"publish","channel":"${'c'.repeat(256)}","data":"x"}`), /at most 255 bytes/);
  t.match(await errorOf('{"op":"publish","channel":"c","data":7}'), /"data" must be a string/);
  client.send('{"op":"ping"}');
  t.equal(await client.text(), '{"op":"pong"}');
  client.close();
});

t.test('a client on a wrong path or with too large a message is refused, and only that one', async (t) => {
  const [node] = await startMesh(1);
  t.teardown(() => node.close());
  await t.rejects(Client.open(node.addresses.clients[0], '/elsewhere'), /404/);
  const other = await Client.open(node.addresses.clients[0]);
  const large = await Client.open(node.addresses.clients[0]);
  large.send('x'.repeat(65537));
  const { code } = await large.closed;
  t.ok(code === 1009 || code === 1006, `closed with ${code}`);
  t.same(await other.ask({ op: 'ping' }), { op: 'pong' });
  other.close();
});

t.test(
  'a node with another secret or another cluster name does not get in, and the log says who and why',
  async (t) => {
    const lines: { level: string; message: string; fields?: unknown }[] = [];
    const first = await startNode('inside', { cluster: { secret: 'right' } }, quietLog(lines));
    t.teardown(() => first.close());
    for (const cluster of [{ secret: 'wrong' }, { secret: 'right', name: 'other' }]) {
      const outside = await joiningNode('outside', { cluster: { ...cluster, seeds: [first.addresses.peers] } });
      await until(() => outside.mesh.notReadyReasons().some((reason) => /refuses this node/.test(reason)));
      t.equal(outside.mesh.members().length, 0);
      t.equal(first.mesh.members().length, 0);
      await outside.close();
    }
    const refused = lines.filter((line) => /refused|denied/.test(line.message));
    t.ok(refused.length >= 2);
    t.match(JSON.stringify(refused), /outside/);
    t.notMatch(JSON.stringify(lines), /"right"|"wrong"/);
  },
);

t.test('a graceful leave costs the others no failure', async (t) => {
  const [one, two, three] = await startMesh(3);
  const here = await Client.open(one.addresses.clients[0]);
  const there = await Client.open(three.addresses.clients[0]);
  await here.ask({ op: 'subscribe', channel: 'leave' });
  await there.ask({ op: 'subscribe', channel: 'leave' });
  let leaving = true;
  const left = three.close().then(() => {
    leaving = false;
  });
  const failures: string[] = [];
  while (leaving) {
    const answer = await post(two, '/v1/mesh/publish', { c: 'leave', d: 'x' });
    if (!/"f":0\}\}$/.test(answer)) failures.push(answer);
  }
  await left;
  t.same(failures, []);
  t.equal((await there.closed).code, 1012);
  t.equal(await post(two, '/v1/mesh/publish', { c: 'leave', d: 'x' }), '{"E":null,"r":{"s":1,"f":0}}');
  here.close();
  await Promise.all([one.close(), two.close()]);
});
