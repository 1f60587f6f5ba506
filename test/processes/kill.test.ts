/** Real processes killed and stopped under load: they are gone by themselves, and come back by themselves. */
import t from 'tap';
import { Listener } from './clients.js';
import { CHANNEL, probe, settleUp, timeToAgree, underLoad } from './load.js';
import { Cluster, until } from './process.js';

t.test('a process is killed under load: it is gone by itself, and comes back by itself', async (t) => {
  const cluster = await Cluster.start(3);
  t.teardown(() => cluster.stop());
  const [first, second, third] = cluster.nodes;
  const load = await underLoad(cluster);
  await until(() => load.audit.count > 100, 'publishes are under way');
  for (const victim of [second, third]) {
    const rest = cluster.nodes.filter((node) => node !== victim);
    await victim.end('SIGKILL');
    t.comment(`kill -9 of ${victim.id}: gone after ${await timeToAgree(cluster, rest)} ms`);
    t.match(await probe(first), { f: 0 }, 'publishes count for the living');
    await victim.start();
    t.comment(`${victim.id} restarted: all agree after ${await timeToAgree(cluster, cluster.nodes)} ms`);
    await Listener.open(load.audit, victim, CHANNEL, `again on ${victim.id}`);
  }
  await settleUp(t, cluster, load);
});

t.test('a process stands still and goes on: it is gone meanwhile, and back under its next generation', async (t) => {
  const cluster = await Cluster.start(3);
  t.teardown(() => cluster.stop());
  const [first, second, third] = cluster.nodes;
  const load = await underLoad(cluster);
  await until(() => load.audit.count > 100, 'publishes are under way');
  third.signal('SIGSTOP');
  t.comment(`SIGSTOP: gone after ${await timeToAgree(cluster, [first, second])} ms`);
  await until(async () => (await probe(first)).f === 0, 'publishes count for the living');
  third.signal('SIGCONT');
  t.comment(`SIGCONT: all agree after ${await timeToAgree(cluster, cluster.nodes)} ms`);
  await until(() => third.isReady(), 'it is ready again');
  await until(async () => (await probe(first)).s === 3, 'its client, which never left, gets messages again');
  await settleUp(t, cluster, load);
});
