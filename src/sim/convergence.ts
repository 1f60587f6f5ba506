/**
 * What must be so some time after the faults stopped (ROUTING.md "What the simulator checks"): one digest, all settled, all
 * waiting ended, one session per pair, every directory equal to the local tables, and no publish that goes further than it must.
 */

import { isPatternName } from '../core/pattern.js';
import type { Cluster } from './cluster.js';
import { covers, type Ledger } from './ledger.js';
import type { SimNode } from './node.js';
import type { Workload } from './workload.js';

/** Why the mesh is not whole yet; null when it is. */
export function unsettled(cluster: Cluster, ledger: Ledger, workload: Workload): string | null {
  const { nodes } = cluster;
  // The last ones were killed or have left.
  if (nodes.length === 0) return null;
  const digest = nodes[0].mesh.digest();
  for (const node of nodes) {
    const { mesh } = node;
    if (node.stalledUntil > cluster.world.time.now) return `${node.name} is stopped`;
    if (mesh.phase !== 'ready') return `${node.name} is ${mesh.phase}: ${mesh.notReadyReasons().join('; ')}`;
    const members = mesh.members();
    if (members.length !== nodes.length - 1) {
      return `${node.name} has ${members.length + 1} members: ${members.map((peer) => peer.nodeId).join(' ')}`;
    }
    if (mesh.digest() !== digest) return `${node.name} has another digest than ${nodes[0].name}`;
    if (!mesh.settled()) return `${node.name} is not settled`;
    for (const peer of members) {
      if (!peer.connected) return `${node.name} has no session with ${peer.nodeId}`;
      if (peer.relayedBy !== null) return `${node.name} still reaches ${peer.nodeId} through ${peer.relayedBy}`;
      if (!peer.synced) return `${node.name} has no sync mark of ${peer.nodeId}`;
      if (peer.queueFrames > 0) return `${node.name} has ${peer.queueFrames} frames queued for ${peer.nodeId}`;
    }
    const counts = mesh.counts();
    if (counts.subscribesWaiting + counts.lookups + counts.publishesWaiting > 0)
      return `${node.name} still has subscribes, look-ups or publishes that wait: ${JSON.stringify(counts)}`;
  }
  for (const { subscriber, channel } of ledger.waiting) {
    if (subscriber.node.alive) return `${subscriber.id} has no answer to its subscribe to ${channel}`;
  }
  return links(cluster) ?? directories(cluster, ledger, workload);
}

/** One link per pair. */
function links(cluster: Cluster): string | null {
  for (const node of cluster.nodes) {
    const places = node.endpoint.openLinks().map(({ to }) => to.address);
    const twice = places.find((place, i) => places.indexOf(place) !== i);
    if (twice !== undefined) return `${node.name} has two links to ${twice}`;
  }
  return null;
}

/**
 * Each owner would send a publish to exactly the nodes with a subscriber, of the channel or of a pattern; interest that lingers
 * has ended by now.
 */
function directories(cluster: Cluster, ledger: Ledger, workload: Workload): string | null {
  const nodesWith = (isWanted: (name: string) => boolean): string[] =>
    cluster.nodes.filter((node) => namesOf(workload, node).some(isWanted)).map((node) => node.nodeId);
  let rows = 0;
  for (const channel of ledger.channels) {
    const subscribed = nodesWith((name) => name === channel);
    const interested = nodesWith((name) => covers(name, channel));
    const owners = cluster.nodes[0].mesh.explain(channel).owners;
    for (const owner of owners) rows += subscribed.filter((nodeId) => nodeId !== owner).length;
    for (const node of cluster.nodes) {
      const explained = node.mesh.explain(channel);
      if (explained.owners.join() !== owners.join()) return `${node.name} has other owners of ${channel}`;
      if (!owners.includes(node.nodeId)) continue;
      const route = explained.route.map(({ nodeId }) => nodeId).sort();
      if (route.join() !== [...interested].sort().join())
        return `owner ${node.name} sends ${channel} to ${route.join(' ') || 'nobody'}, interested are ${interested.join(' ') || 'none'}`;
    }
  }
  // Everybody else keeps a row of each pattern.
  for (const node of cluster.nodes) {
    rows += new Set(namesOf(workload, node).filter(isPatternName)).size * (cluster.nodes.length - 1);
  }
  const kept = cluster.nodes.reduce((sum, node) => sum + node.mesh.counts().directory, 0);
  return rows === kept ? null : `directories hold ${kept} rows instead of ${rows}`;
}

/** Channels and patterns that the node's clients are subscribed to. */
function namesOf(workload: Workload, node: SimNode): string[] {
  return workload.subscribersOf(node).flatMap((subscriber) => [...subscriber.subscriptions.keys()]);
}
