/** What this node tells people about its peers and about where a publish would go; shapes are report.ts. */
import { type Channel, NO_ROWS, type Row } from './channels.js';
import type { MemberRecord } from './frames.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { ChannelExplanation, PeerReport, Route, RouteReason } from './report.js';

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
    mayBeOwed: peer.mayBeOwed,
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

/** `patterns`: those that the channel matches; `leased`: rows of the channel's lease, when there is a valid one. */
export function explain(
  name: string,
  channel: Channel | undefined,
  patterns: readonly Channel[],
  peers: Peers,
  leased: readonly Row[] | null,
): ChannelExplanation {
  const route = new Map<string, RouteReason>();
  const subscribers = [channel, ...patterns].reduce((sum, one) => sum + (one?.audience?.subscribers.size ?? 0), 0);
  const owners = peers.view.ring.owners(name);
  const owned = owners.includes(peers.selfId);
  if (subscribers > 0) route.set(peers.selfId, 'subscribers here');
  const rows = owned ? (channel?.rows ?? NO_ROWS) : (leased ?? NO_ROWS);
  for (const { peer } of rows) if (peer.mayBeOwed) route.set(peer.nodeId, owned ? 'interest' : 'lease');
  for (const { peer } of patterns.flatMap(({ rows }) => rows)) {
    if (peer.mayBeOwed && !route.has(peer.nodeId)) route.set(peer.nodeId, 'pattern');
  }
  for (const { nodeId, announced, mayBeOwed } of owned ? peers.unsynced() : peers.mismatched()) {
    if (mayBeOwed && !route.has(nodeId)) route.set(nodeId, announced === peers.digest ? 'no sync mark' : 'other view');
  }
  return {
    channel: name,
    digest: peers.digest,
    subscribers,
    patterns: patterns.map(({ pattern }) => pattern!.text).sort(),
    interested: channel?.interest != null,
    owners,
    route: listOf(route),
    lookup: !owned && leased === null,
  };
}

/**
 * The route of a publish that has to ask: what the first owner with an answer in the same view says, and who has to be sent to
 * whatever it says; without an answer the whole view (rules 6, 7 and 17). `answers` are the owners' own explanations, `owed` the
 * members that a publish here may have to go to: to others it does not go, whatever is said.
 */
export function explainLookup(
  here: ChannelExplanation,
  selfId: string,
  owed: readonly string[],
  answers: ReadonlyMap<string, ChannelExplanation | null>,
): { readonly route: Route; readonly answeredBy: string | null } {
  const answeredBy = here.owners.find((owner) => answers.get(owner)?.digest === here.digest) ?? null;
  const route = new Map<string, RouteReason>();
  if (answeredBy === null) {
    for (const nodeId of owed) route.set(nodeId, 'no owner answered');
  } else {
    const answer = answers.get(answeredBy)!;
    if (answer.interested) route.set(answeredBy, 'interest');
    for (const { nodeId, why } of answer.route)
      if (nodeId !== answeredBy && owed.includes(nodeId)) route.set(nodeId, why);
    for (const { nodeId, why } of here.route) if (!route.has(nodeId)) route.set(nodeId, why);
  }
  if (here.subscribers > 0) route.set(selfId, 'subscribers here');
  return { route: listOf(route), answeredBy };
}

function listOf(route: ReadonlyMap<string, RouteReason>): Route {
  return [...route].map(([nodeId, why]) => ({ nodeId, why }));
}
