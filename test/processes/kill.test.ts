/** Real processes killed and stopped under load: they are gone by themselves, and come back by themselves. */
import t from 'tap';
import { probe, timeToAgree, underLoad } from './load.js';
import { Cluster, until } from './process.js';

const cluster = await Cluster.start(5);
t.teardown(() => cluster.stop());
const { nodes } = cluster;

t.test('processes are killed under load: they are gone by themselves, and come back by themselves', async (t) => {
  const load = await underLoad(cluster);
  // The second node dies with a publisher of its own, the third without one.
  await load.publish(nodes[1], 500);
  await until(() => load.audit.count > 200, 'publishes are under way');
  for (const victim of [nodes[1], nodes[2]]) {
    const rest = nodes.filter((node) => node !== victim);
    await victim.end('SIGKILL');
    t.comment(`kill -9 of ${victim.id}: gone after ${await timeToAgree(cluster, rest)} ms`);
    t.match(await probe(nodes[0]), { f: 0 }, 'publishes count for the living');
    await victim.start();
    t.comment(`${victim.id} restarted: all agree after ${await timeToAgree(cluster, nodes)} ms`);
    await load.listen(victim, `again on ${victim.id}`);
  }
  const misses = await load.settleUp(t, cluster);
  t.same(
    misses.filter(({ record }) => record === 'gap').slice(0, 5),
    [],
    'only what the results had reported as unconfirmed, or what was lost with the node where it entered',
  );
});

t.test('a process stands still and goes on: it is gone meanwhile, and back under its next generation', async (t) => {
  const still = nodes[4];
  const rest = nodes.slice(0, 4);
  const load = await underLoad(cluster);
  await until(() => load.audit.count > 100, 'publishes are under way');
  still.signal('SIGSTOP');
  t.comment(`SIGSTOP: gone after ${await timeToAgree(cluster, rest)} ms`);
  await until(async () => (await probe(nodes[0])).f === 0, 'publishes count for the living');
  still.signal('SIGCONT');
  t.comment(`SIGCONT: all agree after ${await timeToAgree(cluster, nodes)} ms`);
  await until(() => still.isReady(), 'it is ready again');
  await until(async () => (await probe(nodes[0])).s === 5, 'its client, which never left, gets messages again');
  await load.settleUp(t, cluster);
});
