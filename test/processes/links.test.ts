/** Real processes whose links are reset, blocked one way and cut under load: all is delivered or reported, and it heals. */
import t from 'tap';
import { probe, timeToAgree, underLoad } from './load.js';
import { Cluster, until } from './process.js';

const cluster = await Cluster.start(5);
t.teardown(() => cluster.stop());
const { nodes } = cluster;

t.test('links are reset and blocked one way under load: all is delivered or reported, and it heals', async (t) => {
  const load = await underLoad(cluster);
  for (let round = 0; round < 3; round++) {
    await until(() => nodes.slice(1).every(({ breaker }) => breaker.size), 'each node is dialed again');
    for (const node of nodes) node.breaker.reset();
  }
  await cluster.agrees();
  await until(async () => (await probe(nodes[0])).s === 5, 'all five subscribers are reached again');

  for (const direction of ['in', 'out'] as const) {
    nodes[4].breaker.block(direction);
    // The links to the last node hang: it is dialed by all others, so it is cut off as a silent host would be.
    const ms = await timeToAgree(cluster, nodes.slice(0, 4));
    t.comment(`${nodes[4].id} blocked ${direction}: gone after ${ms} ms`);
    nodes[4].breaker.heal();
    nodes[4].breaker.reset();
    t.comment(`healed: all agree after ${await timeToAgree(cluster, nodes)} ms`);
    await until(async () => (await probe(nodes[0])).s === 5, 'its client is reached again');
  }
  await load.settleUp(t, cluster);
});

t.test('two nodes that cannot reach each other while others reach both stay members', async (t) => {
  const [first, second] = nodes;
  const load = await underLoad(cluster);
  // Only the first node dials the second one for good: the lower node id dials.
  second.breaker.cut();
  await until(async () => (await first.stateOf(second.id)) === 'alive, not connected', 'the link is gone');
  await until(async () => (await first.stateOf(second.id)) === 'alive', 'another one relays (rule 15)');
  t.equal((await first.members()).length, 5);
  t.same(await probe(first), { s: 5, f: 0 });
  second.breaker.heal();
  await until(async () => (await probe(first)).s === 5, 'all five subscribers are reached');
  await cluster.agrees();
  await load.settleUp(t, cluster);
});
