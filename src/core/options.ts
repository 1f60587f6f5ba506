/**
 * Everything about a Mesh that can be chosen: who the node is, and its numbers. Each number has its unit in its name and
 * says what raising and lowering it costs; DEFAULTS are the values a node runs with unless told otherwise.
 */
import type { RuleName } from './rules.js';

/** Who the node is. */
export interface NodeIdentity {
  /** Stable across restarts, unique in the mesh. */
  readonly nodeId: string;
  /** host:port that peers dial. */
  readonly address: string;
  /** host:port of the HTTP API, for people and tools; may be empty. */
  readonly api: string;
  readonly version: string;
}

/** The numbers of the mesh. */
export interface Tuning {
  /** Timings of failure detection (core/membership.ts): local finds a silent host in 3 s, lan in 10 s, wan tolerates slow links. */
  readonly profile: 'local' | 'lan' | 'wan';
  /** Up to so many members, each owns every channel. Higher: more memory and traffic per node; lower: look-ups on cold channels. Same on all nodes. */
  readonly replicateAllUpTo: number;
  /** Owners of a channel in a larger mesh. Higher: more acknowledgements per subscribe; lower: fewer crashes survived without flooding. Same on all nodes. */
  readonly replicas: number;

  /** Seeds that all refused for so long leave the node alone in a mesh of its own. Lower: two nodes started together may each begin alone. */
  readonly seedsRefusedMs: number;
  /** The same when some seed could not be reached at all (no answer, unknown name). Lower: more meshes begin split; higher: a lonely node waits longer. */
  readonly seedsUnreachableMs: number;
  /** First pause before a failed dial is tried again; doubles up to `redialMaxMs`, with jitter. Lower: more dials at dead hosts. */
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  /** A link whose handshake is not done by then is closed. Lower: slow hosts never join. */
  readonly handshakeMs: number;
  /** One dead member or seed is dialed again every so often, so that partitions heal. */
  readonly healMs: number;
  /** How long a member waits to be dialed, or to dial, before it asks a third one to relay (rule 15). */
  readonly relayAfterMs: number;

  /**
   * A view change is announced to every member; the next announcement waits members / this seconds after the last one, so
   * that a burst of joins is few rounds. Lower: less traffic in bursts, later subscribes.
   */
  readonly announcementsPerSecond: number;
  /** Registrations gather for so long before they leave (rule 4). Higher: fewer frames and slower subscribes. */
  readonly registerBatchMs: number;
  /** Interest outlives its last subscriber by so long, so that churn costs nothing (rule 4). Higher: more stray messages. */
  readonly lingerMs: number;
  /** A subscribe that the mesh has not acknowledged by then fails (rule 5). */
  readonly subscribeTimeoutMs: number;
  /** Channels that may have a local subscriber at once; one more is refused with `node_limit`. */
  readonly maxChannels: number;
  /**
   * Patterns that may have a local subscriber at once; one more is refused with `node_limit`. Higher: more to tell each new
   * peer, and more to compare with every publish of the mesh for those that begin alike.
   */
  readonly maxPatterns: number;
  /** Channels looked at in one turn after a view change. Higher: settles sooner, blocks the event loop longer. */
  readonly walkChannels: number;

  /** A publish whose nodes have not all answered by then is incomplete (rule 13). */
  readonly publishTimeoutMs: number;
  /** Publishes that may wait for one channel's look-up; one more is refused. */
  readonly lookupQueue: number;
  /** Publishes that may wait for look-ups of all channels; one more is refused. */
  readonly lookupQueueTotal: number;
  /** The second owner is asked after this, and the look-up given up after that (rule 17). */
  readonly lookupHedgeMs: number;
  readonly lookupGiveUpMs: number;
  /** Whole-view sends per second, and how many may come at once (rule 17). Higher: more traffic while the view is in doubt. */
  readonly floodsPerSecond: number;
  readonly floodBurst: number;
  /** From so many publishes per second on, a channel's publisher asks for a lease (rule 9). */
  readonly leaseFromPerSecond: number;
  /** Time a publisher keeps an owner's answer (rule 9). Higher: fewer look-ups, later acknowledgement when a holder dies. */
  readonly leaseMs: number;
  /** An owner waits that much longer than the holder keeps: ten percent of clock drift and this. */
  readonly leaseGraceMs: number;
  /** Lease records an owner keeps, and leases a publisher holds; beyond it questions are answered without lease. */
  readonly maxLeases: number;

  /** Bound of what waits for one peer or is not acknowledged by it (rule 14). Beyond it, messages to that peer are refused. */
  readonly queueBytes: number;
  readonly queueFrames: number;
  /** A lane that takes nothing for so long closes the session (rule 14). */
  readonly stalledMs: number;
  /** How often stalled lanes and the join gate's patience are looked at. */
  readonly watchMs: number;
  /** Time for a lost session to come back before its unsent messages are given up (rule 16). */
  readonly resumeMs: number;

  /** A request to another node fails when it is not answered by then. */
  readonly askTimeoutMs: number;
  /** Requests to one peer that may wait for an answer; one more fails. */
  readonly maxAsks: number;
  /** One peer is sent a canary every so often, each in turn; a new session at once. */
  readonly canaryMs: number;
  /** The longest a leave waits for the others at each of its steps (rule 18). */
  readonly leaveStepMs: number;
}

export const DEFAULTS: Tuning = {
  profile: 'lan',
  replicateAllUpTo: 8,
  replicas: 3,
  seedsRefusedMs: 2000,
  seedsUnreachableMs: 10_000,
  redialMinMs: 100,
  redialMaxMs: 5000,
  handshakeMs: 5000,
  healMs: 30_000,
  relayAfterMs: 3000,
  announcementsPerSecond: 2000,
  registerBatchMs: 2,
  lingerMs: 30_000,
  subscribeTimeoutMs: 5000,
  maxChannels: 4_000_000,
  maxPatterns: 10_000,
  walkChannels: 2000,
  publishTimeoutMs: 2000,
  lookupQueue: 4096,
  lookupQueueTotal: 65_536,
  lookupHedgeMs: 50,
  lookupGiveUpMs: 150,
  floodsPerSecond: 500,
  floodBurst: 500,
  leaseFromPerSecond: 3,
  leaseMs: 5000,
  leaseGraceMs: 500,
  maxLeases: 100_000,
  queueBytes: 16_777_216,
  queueFrames: 65_536,
  stalledMs: 10_000,
  watchMs: 250,
  resumeMs: 5000,
  askTimeoutMs: 2000,
  maxAsks: 65_536,
  canaryMs: 1000,
  leaveStepMs: 5000,
};

export interface MeshOptions {
  readonly node: NodeIdentity;
  readonly tuning?: Partial<Tuning>;
  /** Leaves one rule out; only the simulator does. */
  readonly without?: RuleName;
}
