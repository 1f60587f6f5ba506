/** What this node tells people about its peers and about where a publish would go; shapes are report.ts. */
import type { Channel } from './channels.js';
import { NO_ROWS } from './channels.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { ChannelExplanation, PeerReport, RouteReason } from './report.js';

export function reportOf(peer: Peer, digest: string, now: number): PeerReport {
  const { record, session, outbox } = peer;
  return {
    nodeId: record.nodeId,
    boot: record.boot,
    state: record.state,
    role: record.role,
    address: record.address,
    api: record.api,
    version: record.version,
    connected: session !== null,
    relayedBy: session?.relayedBy ?? null,
    roundTripMs: peer.roundTripMs,
    lastCanaryMs: peer.lastEchoAt === null ? null : now - peer.lastEchoAt,
    queueBytes: outbox.bytes,
    queueFrames: outbox.frames + outbox.waiting,
    dropped: outbox.refused,
    announcedDigest: peer.announced,
    settled: peer.acked === digest,
    synced: peer.synced === digest,
  };
}

export function explain(name: string, channel: Channel | undefined, peers: Peers): ChannelExplanation {
  const route: { nodeId: string; why: RouteReason }[] = [];
  const subscribers = channel?.audience?.subscribers.size ?? 0;
  if (subscribers > 0) route.push({ nodeId: peers.selfId, why: 'subscribers here' });
  for (const { peer } of channel?.rows ?? NO_ROWS) route.push({ nodeId: peer.nodeId, why: 'interest' });
  for (const peer of peers.unsynced()) {
    if (!route.some(({ nodeId }) => nodeId === peer.nodeId)) {
      route.push({ nodeId: peer.nodeId, why: peer.announced === peers.digest ? 'no sync mark' : 'other view' });
    }
  }
  return { channel: name, subscribers, owners: peers.view.ring.owners(name), route, lookup: false };
}
