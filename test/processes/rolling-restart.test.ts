/** Five processes are restarted one after the other, politely, under 1,000 publishes/s: every subscriber gets everything. */
import t from 'tap';
import { Audit } from './audit.js';
import { Listener, Publisher } from './clients.js';
import { Cluster, until } from './process.js';

const NODES = 5;
const PUBLISHERS = 2;
const PER_SECOND = 1000 / PUBLISHERS;
const CHANNEL = 'rolling';

t.test('a rolling restart of five nodes under load loses nothing', async (t) => {
  const cluster = await Cluster.start(NODES);
  t.teardown(() => cluster.stop());
  const { nodes } = cluster;
  const audit = new Audit();
  const listeners = await Promise.all(nodes.map((node) => Listener.open(audit, node, CHANNEL, `on ${node.id}`)));
  const publishers = Array.from({ length: PUBLISHERS }, (_, i) => new Publisher(audit, `p${i}`, CHANNEL));
  for (const [i, publisher] of publishers.entries()) {
    await publisher.connect(nodes[i + 1]);
    publisher.begin(PER_SECOND);
  }

  for (const [i, node] of nodes.entries()) {
    for (const [k, publisher] of publishers.entries()) {
      if (publisher.node !== node) continue;
      // A back end that heard of the restart goes elsewhere first; the other one goes on meanwhile.
      await publisher.stop();
      publisher.close();
      await publisher.connect(nodes[(i + k + 2) % NODES]);
      publisher.begin(PER_SECOND);
    }
    const code = await node.end('SIGTERM');
    t.equal(code, 0, `${node.id} ends with 0`);
    t.equal(await listeners[i].closed, 1012, 'its client was told that the service restarts');
    const next = nodes[(i + 1) % NODES];
    const moved = Listener.open(audit, next, CHANNEL, `from ${node.id} on ${next.id}`);
    await node.start();
    listeners.push(await moved, await Listener.open(audit, node, CHANNEL, `again on ${node.id}`));
    await cluster.agrees();
    const before = audit.count;
    await until(() => audit.count > before + 100, 'publishes pass through the whole mesh');
  }

  for (const publisher of publishers) await publisher.stop();
  await Promise.all(listeners.map((listener) => listener.caughtUp()));
  const { misses, duplicates, disorders } = audit.findings();
  t.comment(`${audit.count} publishes, ${audit.deliveries} deliveries to ${listeners.length} subscriptions`);
  t.same(misses.slice(0, 5), [], `${misses.length} missing`);
  t.same(duplicates.slice(0, 5), []);
  t.same(disorders.slice(0, 5), []);
  const incomplete = audit.incomplete();
  t.same(incomplete.slice(0, 5), [], `${incomplete.length} publishes were not complete`);
  for (const listener of listeners) await listener.close();
  for (const publisher of publishers) publisher.close();
});
