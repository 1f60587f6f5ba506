/** A mesh of real processes under load, and the look at the books afterwards: nothing may be lost without a record of it. */
import type { Test } from 'tap';
import { Audit } from './audit.js';
import { Listener, Publisher } from './clients.js';
import { findingsOf, type Miss } from './findings.js';
import { type Cluster, type NodeProcess, until } from './process.js';

export const CHANNEL = 'faults';

export class Load {
  readonly audit = new Audit();
  private readonly listeners: Listener[] = [];
  private readonly publishers: Publisher[] = [];

  /** A subscriber on that node. */
  async listen(node: NodeProcess, name = `on ${node.id}`): Promise<Listener> {
    const listener = await Listener.open(this.audit, node, CHANNEL, name);
    this.listeners.push(listener);
    return listener;
  }

  /** So many publishes per second that enter at that node. */
  async publish(node: NodeProcess, perSecond: number): Promise<Publisher> {
    const publisher = new Publisher(this.audit, `p${this.publishers.length}`, CHANNEL);
    this.publishers.push(publisher);
    await publisher.connect(node);
    publisher.begin(perSecond);
    return publisher;
  }

  /** Stops it and looks at the books: all is delivered, once and in order, or on record, and counted as it was. Returns the misses. */
  async settleUp(t: Test, cluster: Cluster): Promise<readonly Miss[]> {
    const { audit } = this;
    await Promise.all(this.publishers.map((publisher) => publisher.stop()));
    await Promise.all(this.listeners.map((listener) => listener.caughtUp()));
    const gaps = () => cluster.nodes.flatMap((node) => node.gaps());
    const look = () => findingsOf(audit, gaps());
    const silent = () => look().misses.filter(({ record }) => record === null);
    // The logs, which tell of the gaps, come another way than the messages.
    await until(() => silent().length === 0, 'every miss has a record', 3000).catch(() => undefined);
    const { misses, duplicates, disorders, miscounts, oddities } = look();
    const incomplete = audit.incomplete();
    const refused = incomplete.filter((text) => text.endsWith('refused')).length;
    t.comment(`${audit.count} publishes, ${incomplete.length} of them not complete, ${refused} refused`);
    t.comment(`${audit.deliveries} deliveries to ${this.listeners.length} subscriptions`);
    for (const record of ['unconfirmed', 'gap', 'lost'])
      t.comment(`${misses.filter((miss) => miss.record === record).length} misses on record: ${record}`);
    t.equal(refused, 0, 'all taken: the nodes that are published at are ready');
    t.same(silent().slice(0, 5), [], 'no miss without a record of it');
    t.same(duplicates.slice(0, 5), [], 'nothing twice');
    t.same(disorders.slice(0, 5), [], 'all in order');
    t.same(miscounts.slice(0, 5), [], 'all counted as it came');
    t.same(oddities.slice(0, 5), [], 'nothing without a result, nothing that was not meant for its subscriber');
    for (const publisher of this.publishers) publisher.close();
    await Promise.all(this.listeners.map((listener) => listener.close()));
    return misses;
  }
}

/** One subscriber per node, and 500 publishes/s that enter at the first. */
export async function underLoad(cluster: Cluster): Promise<Load> {
  const load = new Load();
  await Promise.all(cluster.nodes.map((node) => load.listen(node)));
  await load.publish(cluster.nodes[0], 500);
  return load;
}

/** Publishes one message and returns its counts. */
export async function probe(node: NodeProcess): Promise<{ s: number; f: number }> {
  const answer = await fetch(`http://${node.addresses.api}/v1/mesh/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ c: CHANNEL, d: 'probe:0' }),
  });
  return ((await answer.json()) as { r: { s: number; f: number } }).r;
}

/** Milliseconds until these nodes, and only these, are each other's members. */
export async function timeToAgree(cluster: Cluster, nodes: readonly NodeProcess[]): Promise<number> {
  const began = performance.now();
  await cluster.agrees(nodes);
  return Math.round(performance.now() - began);
}
