/**
 * The frames that two nodes exchange, as the core sees them. wire/ turns them into bytes (proto/peer.proto has one message
 * per kind with the same field names); the simulator passes them as they are. ROUTING.md says when each is sent.
 * Fields are plain: strings, numbers (whole, not negative, below 2^53), booleans, bytes, and arrays of such records.
 */

/** A member as gossip tells of it. `incarnation` refutes suspicion (SWIM), `gen` refutes death (ROUTING "Identity and view"). */
export interface MemberRecord {
  readonly nodeId: string;
  /** Random 31-bit number of the process. */
  readonly boot: number;
  readonly gen: number;
  readonly incarnation: number;
  readonly state: 'alive' | 'suspect' | 'dead' | 'left';
  readonly role: 'full' | 'leaving';
  /** host:port that peers dial. */
  readonly address: string;
  /** host:port of the node's HTTP API, for people and tools; may be empty. */
  readonly api: string;
  readonly version: string;
  /** nodeId of the member that suspects it or declared it dead (Lifeguard counts independent ones); empty otherwise. */
  readonly accuser: string;
}

/** A process: (nodeId, boot, gen). */
export interface Identity {
  readonly nodeId: string;
  readonly boot: number;
  readonly gen: number;
}

// ── control lane: sessions ──
/** The dialer's first frame on a link. */
export interface Hello {
  readonly kind: 'hello';
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly self: MemberRecord;
  readonly digest: string;
  readonly members: readonly MemberRecord[];
  /** The dialer's count of its dials: of two links of one dialer the higher number is the newer. ACCEPT repeats it. */
  readonly session: number;
  /** Epoch and number of the last numbered data frame that arrived from the other side, 0 and 0 for none (rule 16). */
  readonly lastEpoch: number;
  readonly lastReceived: number;
  /** True when this node has passed its join gate. */
  readonly ready: boolean;
}
/** The answer to HELLO that opens the session; precedes every other frame of it. */
export interface Accept extends Omit<Hello, 'kind'> {
  readonly kind: 'accept';
}
/** The answer to HELLO, or to ACCEPT, that opens no session. */
export interface Reject {
  readonly kind: 'reject';
  /** accused: that identity was declared dead; redirect: the other side dials; duplicate: a newer session exists; protocol: no common version; name: another living process has that node id. */
  readonly reason: 'accused' | 'redirect' | 'duplicate' | 'protocol' | 'self' | 'name';
  readonly text: string;
  readonly members: readonly MemberRecord[];
}
/** A member that leaves says so to each member: from now on send me nothing (rule 18). */
export interface Goodbye {
  readonly kind: 'goodbye';
  readonly members: readonly MemberRecord[];
}
/** The answer to GOODBYE: the last number that was sent to the leaving member, so that it knows what is still under way. */
export interface GoodbyeAck {
  readonly kind: 'goodbyeAck';
  readonly epoch: number;
  readonly lastSent: number;
}

// ── control lane: membership (SWIM) ──
export interface Ping {
  readonly kind: 'ping';
  readonly seq: number;
  readonly updates: readonly MemberRecord[];
}
export interface PingAck {
  readonly kind: 'pingAck';
  readonly seq: number;
  readonly updates: readonly MemberRecord[];
}
export interface PingRequest {
  readonly kind: 'pingRequest';
  readonly seq: number;
  readonly target: string;
  readonly updates: readonly MemberRecord[];
}
/** The indirect prober says that it could not reach the target in time (Lifeguard: its own health is fine). */
export interface PingNack {
  readonly kind: 'pingNack';
  readonly seq: number;
}
export interface Gossip {
  readonly kind: 'gossip';
  readonly updates: readonly MemberRecord[];
}
/** Full state exchange; the receiver of `reply: false` answers with its own. */
export interface State {
  readonly kind: 'state';
  readonly reply: boolean;
  readonly members: readonly MemberRecord[];
}

// ── control lane: views and interest ──
/** "My view is `digest` now"; `members` are the records that changed since this session was last told any. */
export interface Announce {
  readonly kind: 'announce';
  readonly digest: string;
  readonly members: readonly MemberRecord[];
}
/** Repeats the announced digest; `members` as in Announce, so that both know what the other knows. */
export interface AnnounceAck {
  readonly kind: 'announceAck';
  readonly digest: string;
  readonly members: readonly MemberRecord[];
}
/** "You have all my interest for the channels that you own in the view `digest`." */
export interface Sync {
  readonly kind: 'sync';
  readonly digest: string;
}
export interface RegisterEntry {
  /** Or the name of a pattern (pattern.ts). */
  readonly channel: string;
  /** From one counter of the registering process, so a version names its channel too. */
  readonly version: number;
  /** True: REG, false: UNREG. */
  readonly on: boolean;
}
export interface Register {
  readonly kind: 'register';
  readonly entries: readonly RegisterEntry[];
}
export interface RegisterAck {
  readonly kind: 'registerAck';
  readonly versions: readonly number[];
}

// ── control lane: look-ups and leases ──
/** "Who is interested in `channel`?", asked of an owner by a node whose view is `digest` (rule 6). */
export interface Lookup {
  readonly kind: 'lookup';
  readonly id: number;
  readonly channel: string;
  readonly digest: string;
  /** The asker would like to keep the answer for a while (rule 9). */
  readonly lease: boolean;
}
export interface LookupAnswer {
  readonly kind: 'lookupAnswer';
  readonly id: number;
  /** The answering node's view. */
  readonly digest: string;
  /** False: WRONG_VIEW, `nodes` is empty. */
  readonly valid: boolean;
  readonly nodes: readonly string[];
  /** How long the asker may keep the answer, counted from when it sent the question; 0: not at all. */
  readonly leaseMs: number;
}
/** To a lease holder: `nodeId` became interested, or no longer is. */
export interface LeaseUpdate {
  readonly kind: 'leaseUpdate';
  readonly id: number;
  readonly channel: string;
  readonly nodeId: string;
  readonly on: boolean;
}
/** To a lease holder: drop the lease on that channel; on all channels when it is empty. */
export interface LeaseRevoke {
  readonly kind: 'leaseRevoke';
  readonly id: number;
  readonly channel: string;
}
/** Answers LeaseUpdate and LeaseRevoke. */
export interface LeaseAck {
  readonly kind: 'leaseAck';
  readonly id: number;
}

// ── both lanes: relay around a one-way break (rule 15) ──
/** Frames of a session between `from` and `to` that runs through the receiver; the last hop hands them to `to`. */
export interface Relay {
  readonly kind: 'relay';
  readonly from: string;
  readonly to: string;
  readonly lane: 'control' | 'data';
  readonly frames: readonly Frame[];
}
/** The relayed session between `from` and `to` cannot go on. */
export interface RelayEnd {
  readonly kind: 'relayEnd';
  readonly from: string;
  readonly to: string;
}

// ── data lane ──
/** First data frame of every session: my numbered frames are of `epoch`, the next one is `first` (rule 16). */
export interface Numbering {
  readonly kind: 'numbering';
  readonly epoch: number;
  readonly first: number;
}
/** Numbered. `seq` counts the numbered frames from this node to that peer; `delivered` names it. */
export interface Publish {
  readonly kind: 'publish';
  readonly seq: number;
  readonly channel: string;
  readonly binary: boolean;
  readonly data: Uint8Array;
}
/** Numbered. So many messages to you were refused since the last one (rule 14); `channels` are theirs, empty when too many. */
export interface Dropped {
  readonly kind: 'dropped';
  readonly seq: number;
  readonly count: number;
  readonly channels: readonly string[];
}
/** Counts of the numbered frames from `seq` on, in order: triples of (how many frames, success of each, fail of each). */
export interface DeliveredFrame {
  readonly kind: 'delivered';
  readonly seq: number;
  readonly counts: readonly number[];
}
/** A request to the node itself: `op` names it (send, call, channel …), `body` is its own business. */
export interface Ask {
  readonly kind: 'ask';
  readonly id: number;
  readonly op: string;
  readonly body: Uint8Array;
}
export interface Reply {
  readonly kind: 'reply';
  readonly id: number;
  readonly ok: boolean;
  readonly body: Uint8Array;
}
/** A message that only tests the way; the receiver answers with its echo. */
export interface Canary {
  readonly kind: 'canary';
  readonly id: number;
}
export interface CanaryEcho {
  readonly kind: 'canaryEcho';
  readonly id: number;
}

export type MembershipFrame = Ping | PingAck | PingRequest | PingNack | Gossip | State;
export type ControlFrame =
  | Hello
  | Accept
  | Reject
  | Goodbye
  | GoodbyeAck
  | MembershipFrame
  | Announce
  | AnnounceAck
  | Sync
  | Register
  | RegisterAck
  | Lookup
  | LookupAnswer
  | LeaseUpdate
  | LeaseRevoke
  | LeaseAck
  | Relay
  | RelayEnd;
export type NumberedFrame = Publish | Dropped;
/** RELAY travels on the lane that its frames are for. */
export type DataFrame = Numbering | NumberedFrame | DeliveredFrame | Ask | Reply | Canary | CanaryEcho | Relay;
export type Frame = ControlFrame | DataFrame;
export type FrameKind = Frame['kind'];
