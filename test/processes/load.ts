/** A mesh of real processes under load, and the look at the books afterwards: nothing may be lost without a record of it. */
import type { Test } from 'tap';
import { Audit } from './audit.js';
import { Listener, Publisher } from './clients.js';
import type { Cluster, NodeProcess } from './process.js';

export const CHANNEL = 'faults';

export interface Load {
  readonly audit: Audit;
  readonly publisher: Publisher;
  readonly listeners: readonly Listener[];
}

/** One listener per node, and 500 publishes/s entering at the first. */
export async function underLoad(cluster: Cluster): Promise<Load> {
  const audit = new Audit();
  const listeners = await Promise.all(
    cluster.nodes.map((node) => Listener.open(audit, node, CHANNEL, `on ${node.id}`)),
  );
  const publisher = new Publisher(audit, 'p', CHANNEL);
  await publisher.connect(cluster.nodes[0]);
  publisher.begin(500);
  return { audit, publisher, listeners };
}

/** Stops the load and looks at the books: a miss must be known to the publisher, or to the subscriber's node as a gap. */
export async function settleUp(t: Test, cluster: Cluster, { audit, publisher }: Load): Promise<void> {
  await publisher.stop();
  publisher.close();
  await audit.complete();
  const { misses, duplicates, disorders } = audit.findings();
  const silent = misses.filter(({ reported, node }) => !reported && !hasGap(cluster, node));
  t.comment(`${audit.count} publishes, ${misses.length} missed, ${audit.incomplete().length} of them not complete`);
  t.same(silent.slice(0, 5), [], 'no miss without a record of it');
  t.same(duplicates.slice(0, 5), []);
  t.same(disorders.slice(0, 5), []);
}

function hasGap(cluster: Cluster, nodeId: string): boolean {
  const node = cluster.nodes.find(({ id }) => id === nodeId);
  return node?.lines.some((line) => line.includes('messages may have been missed')) ?? false;
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
