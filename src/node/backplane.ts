/** What the API may do: the Backplane role, made of the mesh and of questions to the other nodes. */
import type { Backplane, ChannelReport, NodeReport } from '../api/roles.js';
import { explainLookup } from '../core/explain.js';
import type { Mesh } from '../core/mesh.js';
import type { Log, Meter } from '../core/ports.js';
import { askChannel, askSelf, type Reach, type SelfReport } from '../core/reach.js';
import type { ChannelExplanation, PeerReport } from '../core/report.js';

export interface BackplaneParts {
  readonly mesh: Mesh;
  readonly reach: Reach;
  readonly log: Log;
  readonly meter: Meter;
  readonly version: string;
  /** Why this node is not ready, beside what the mesh says (scripts not loaded, draining); empty when it is. */
  reasons(): string[];
  self(): SelfReport;
  metrics(): Promise<string>;
}

export function createBackplane(parts: BackplaneParts): Backplane {
  const { mesh, reach } = parts;
  return {
    nodeId: mesh.nodeId,
    version: parts.version,
    log: parts.log,
    meter: parts.meter,
    readiness() {
      const reasons = [...mesh.notReadyReasons(), ...parts.reasons()];
      return { ready: reasons.length === 0, reasons };
    },
    publish: (channel, payload, binary, done) => mesh.publish(channel, payload, binary, done),
    send: (clientId, payload, binary, done) => reach.send(clientId, payload, binary, done),
    call: (clientId, name, args, done) => reach.call(clientId, name, args, done),
    subscribe: (subscriber, channel, done) => mesh.subscribe(subscriber, channel, done),
    unsubscribe: (subscriber, channel) => mesh.unsubscribe(subscriber, channel),
    newSubscriberId: () => mesh.newClientId(),
    nodes: (done) => nodes(parts, done),
    channel: (channel, done) => explain(mesh, channel, done),
    metrics: () => parts.metrics(),
  };
}

/** Every member with what it says of itself. */
function nodes({ mesh, self }: BackplaneParts, done: (nodes: readonly NodeReport[]) => void): void {
  const me = mesh.self();
  const own: NodeReport = {
    nodeId: me.nodeId,
    state: mesh.phase === 'ready' ? 'alive' : mesh.phase,
    role: me.role,
    address: me.address,
    api: me.api,
    version: me.version,
    self: true,
    ...self(),
    link: null,
  };
  gather(
    mesh.members(),
    (peer, told: (report: NodeReport) => void) => askSelf(mesh, peer.boot, (report) => told(reportOf(peer, report))),
    (others) => done([own, ...others].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))),
  );
}

function reportOf(peer: PeerReport, report: SelfReport | null): NodeReport {
  return {
    nodeId: peer.nodeId,
    state: peer.connected ? peer.state : `${peer.state}, not connected`,
    role: peer.role,
    address: peer.address,
    api: peer.api,
    version: peer.version,
    self: false,
    connections: report?.connections ?? null,
    channels: report?.channels ?? null,
    subscriptions: report?.subscriptions ?? null,
    link: {
      roundTripMs: peer.roundTripMs,
      lastCanaryMs: peer.lastCanaryMs,
      queueBytes: peer.queueBytes,
      dropped: peer.dropped,
      digest: peer.announcedDigest,
    },
  };
}

/** Where a publish would go now, and how many subscribers each node has. Every node is asked anyway, so an owner among them, too. */
function explain(mesh: Mesh, channel: string, done: (report: ChannelReport) => void): void {
  gather(
    mesh.members(),
    ({ nodeId, boot }, told: (row: readonly [string, ChannelExplanation | null]) => void) =>
      askChannel(mesh, boot, channel, (explanation) => told([nodeId, explanation])),
    (rows) => done(channelReport(mesh, channel, new Map(rows))),
  );
}

function channelReport(
  mesh: Mesh,
  channel: string,
  others: ReadonlyMap<string, ChannelExplanation | null>,
): ChannelReport {
  const here = mesh.explain(channel);
  const subscribers = [...others].map(([nodeId, said]) => [nodeId, said?.subscribers ?? null] as const);
  const owed = mesh
    .members()
    .filter(({ mayBeOwed }) => mayBeOwed)
    .map(({ nodeId }) => nodeId);
  const looked = here.lookup ? explainLookup(here, mesh.nodeId, owed, others) : null;
  return {
    channel,
    subscribers: Object.fromEntries(
      [[mesh.nodeId, here.subscribers] as const, ...subscribers].filter(([, count]) => count !== 0),
    ),
    patterns: here.patterns,
    owners: here.owners,
    route: looked?.route ?? here.route,
    lookup: looked && { answeredBy: looked.answeredBy },
  };
}

/** Asks about every item at once and goes on when all have answered, in the items' order. */
function gather<T, R>(
  items: readonly T[],
  ask: (item: T, told: (answer: R) => void) => void,
  done: (answers: R[]) => void,
): void {
  const answers = new Array<R>(items.length);
  let open = items.length;
  if (open === 0) return done([]);
  items.forEach((item, i) => {
    ask(item, (answer) => {
      answers[i] = answer;
      open -= 1;
      if (open === 0) done(answers);
    });
  });
}
