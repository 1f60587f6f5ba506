/** What this node tells people about its peers and about where a publish would go; shapes are report.ts. */
import { type Channel, NO_ROWS, type Row } from './channels.js';
import type { MemberRecord } from './frames.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { ChannelExplanation, PeerReport, RouteReason } from './report.js';

/** `record` is the newest about it; the view's is older while it is suspected. */
export function reportOf(peer: Peer, record: MemberRecord, digest: string, now: number): PeerReport {
  const { session, outbox } = peer;
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
    queueFrames: outbox.frames,
    dropped: outbox.refused,
    announcedDigest: peer.announced,
    settled: peer.acked === digest,
    synced: peer.synced === digest,
  };
}

/** `leased`: rows of the channel's lease, when there is a valid one. */
export function explain(
  name: string,
  channel: Channel | undefined,
  peers: Peers,
  leased: readonly Row[] | null,
): ChannelExplanation {
  const route = new Map<string, RouteReason>();
  const subscribers = channel?.audience?.subscribers.size ?? 0;
  const owners = peers.view.ring.owners(name);
  const owned = owners.includes(peers.selfId);
  if (subscribers > 0) route.set(peers.selfId, 'subscribers here');
  const rows = owned ? (channel?.rows ?? NO_ROWS) : (leased ?? NO_ROWS);
  for (const { peer } of rows) route.set(peer.nodeId, owned ? 'interest' : 'lease');
  for (const { nodeId, announced, met } of owned ? peers.unsynced() : peers.mismatched()) {
    if (met && !route.has(nodeId)) route.set(nodeId, announced === peers.digest ? 'no sync mark' : 'other view');
  }
  return {
    channel: name,
    subscribers,
    owners,
    route: [...route].map(([nodeId, why]) => ({ nodeId, why })),
    lookup: !owned && leased === null,
  };
}
