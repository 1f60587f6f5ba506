/** Messages that a subscriber may have missed are told to its node's script: `on_gap` (docs/lua.md). */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { PublishResult } from '../../src/core/message.js';
import type { RunningNode } from '../../src/node.js';
import { claimPorts } from '../ports.js';
import { Breaker } from '../processes/breaker.js';
import { Client, startNode, until } from './cluster.js';

const folder = mkdtempSync(join(tmpdir(), 'lumesh-gap-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const entry = join(folder, 'gap.lua');
writeFileSync(
  entry,
  `
local listening = {}

function on_message(msg)
  local conn = mix.websocket()
  local err = conn:subscribe(msg.data)
  listening[conn:client_id()] = true
  conn:send(err or "subscribed")
end

function on_close(client_id)
  listening[client_id] = nil
end

function on_gap(channel)
  for client_id in pairs(listening) do mix.mesh.send(client_id, "gap: " .. tostring(channel)) end
end
`,
);

/** Two nodes with a breaker before each, and a client of the second one that has subscribed to `room`. */
async function setUp(t: Test) {
  const [front, otherFront, ...ports] = await claimPorts(4);
  const breakers = [new Breaker(front, ports[0]), new Breaker(otherFront, ports[1])];
  await Promise.all(breakers.map((breaker) => breaker.open()));
  const nodes: RunningNode[] = [];
  for (const [i, { address }] of breakers.entries()) {
    const seeds = i === 0 ? [] : [breakers[0].address];
    const cluster = { port: ports[i], advertise: address, seeds, queueFrames: 256 };
    nodes.push(await startNode(`node-${i + 1}`, { cluster, servers: [{ port: 0, bind: '127.0.0.1', entry }] }));
  }
  const client = await Client.open(nodes[1].addresses.clients[0]);
  t.teardown(async () => {
    client.close();
    await Promise.all(nodes.map((node) => node.close()));
    await Promise.all(breakers.map((breaker) => breaker.close()));
  });
  client.send('room');
  t.equal(await client.text(), 'subscribed');
  return { breakers, nodes, client };
}

function publish(node: RunningNode, text: string): Promise<PublishResult> {
  return new Promise((resolve, reject) => {
    const refusal = node.mesh.publish('room', Buffer.from(text), false, resolve);
    if (refusal !== null) reject(new Error(refusal));
  });
}

t.test(
  'messages that found a full queue: the script is told of their channel, where they would have come',
  async (t) => {
    const { nodes, client } = await setUp(t);
    const results = await Promise.all(Array.from({ length: 300 }, (_, i) => publish(nodes[0], String(i))));
    const confirmed = results.flatMap(({ unconfirmed }, i) => (unconfirmed.includes('node-2') ? [] : [String(i)]));
    t.equal(confirmed.length, 256);
    const texts: string[] = [];
    while (texts.length < 257) texts.push(await client.text());
    t.same(texts, [...confirmed, 'gap: room']);
    await publish(nodes[0], 'after');
    t.equal(await client.text(), 'after');
    t.same(client.rest(), []);
  },
);

t.test('a partition that heals: the script is told that messages of any channel may have been missed', async (t) => {
  const { breakers, nodes, client } = await setUp(t);
  for (const breaker of breakers) breaker.cut();
  await until(() => nodes.every(({ mesh }) => mesh.members().length === 0));
  t.same(await publish(nodes[0], 'missed'), { success: 0, fail: 0, unconfirmed: [] }, 'complete: the other is dead');
  for (const breaker of breakers) breaker.heal();
  t.equal(await client.text(), 'gap: nil');
  while ((await publish(nodes[0], 'after')).success === 0);
  t.equal(await client.text(), 'after');
  t.same(client.rest(), []);
});
