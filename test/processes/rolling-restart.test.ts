/** Five processes are restarted one after the other, politely, under 1,000 publishes/s: every subscriber gets everything. */
import t from 'tap';
import { Load } from './load.js';
import { Cluster, until } from './process.js';

const NODES = 5;
const PUBLISHERS = 2;
const PER_SECOND = 1000 / PUBLISHERS;

t.test('a rolling restart of five nodes under load loses nothing', async (t) => {
  const cluster = await Cluster.start(NODES);
  t.teardown(() => cluster.stop());
  const { nodes } = cluster;
  const load = new Load();
  const { audit } = load;
  const listeners = await Promise.all(nodes.map((node) => load.listen(node)));
  const publishers = await Promise.all([1, 2].map((i) => load.publish(nodes[i], PER_SECOND)));

  for (const [i, node] of nodes.entries()) {
    // A back end at that node goes elsewhere first; the other one goes on meanwhile.
    for (const [k, publisher] of publishers.entries())
      if (publisher.node === node) await publisher.moveTo(nodes[(i + k + 2) % NODES], PER_SECOND);
    t.equal(await node.end('SIGTERM'), 0, `${node.id} ends with 0`);
    t.equal(await listeners[i].closed, 1012, 'its client was told that the service restarts');
    const next = nodes[(i + 1) % NODES];
    const moved = load.listen(next, `from ${node.id} on ${next.id}`);
    await node.start();
    await Promise.all([moved, load.listen(node, `again on ${node.id}`)]);
    await cluster.agrees();
    const before = audit.count;
    await until(() => audit.count > before + 100, 'publishes pass through the whole mesh');
  }

  const misses = await load.settleUp(t, cluster);
  t.same(misses.slice(0, 5), [], `${misses.length} missing`);
  const incomplete = audit.incomplete();
  t.same(incomplete.slice(0, 5), [], `${incomplete.length} publishes were not complete`);
});
