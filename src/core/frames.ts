/**
 * The frames that two nodes exchange, as the core sees them. wire/ turns them into bytes (proto/peer.proto has one message
 * per kind with the same field names); the simulator passes them as they are. ROUTING.md says when each is sent.
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
}

/** A process: (nodeId, boot, gen). */
export interface Identity {
  readonly nodeId: string;
  readonly boot: number;
  readonly gen: number;
}

// ── control lane: sessions ──
export interface Hello {
  readonly kind: 'hello';
  readonly protocolMin: number;
  readonly protocolMax: number;
  readonly self: MemberRecord;
  readonly digest: string;
  readonly members: readonly MemberRecord[];
  /** Number of the last data frame received from exactly this peer process, 0 for none (rule 16). */
  readonly lastReceived: number;
  /** True when this node has passed its join gate. */
  readonly ready: boolean;
}
export interface Accept extends Omit<Hello, 'kind'> {
  readonly kind: 'accept';
}
export interface Reject {
  readonly kind: 'reject';
  /** accused: that identity was declared dead; redirect: the other side dials; duplicate: a session exists; protocol: no common version. */
  readonly reason: 'accused' | 'redirect' | 'duplicate' | 'protocol' | 'self';
  readonly text: string;
  readonly members: readonly MemberRecord[];
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

// ── control lane: routing ──
export interface Announce {
  readonly kind: 'announce';
  readonly digest: string;
  readonly members: readonly MemberRecord[];
}
export interface AnnounceAck {
  readonly kind: 'announceAck';
  readonly digest: string;
  readonly members: readonly MemberRecord[];
}
export interface Sync {
  readonly kind: 'sync';
  readonly digest: string;
}
export interface Register {
  readonly kind: 'register';
  readonly entries: readonly { readonly channel: string; readonly version: number; readonly on: boolean }[];
}
export interface RegisterAck {
  readonly kind: 'registerAck';
  readonly entries: readonly { readonly channel: string; readonly version: number }[];
}

// ── data lane ──
/** `seq` numbers this peer's publishes; `delivered` names it. */
export interface Publish {
  readonly kind: 'publish';
  readonly seq: number;
  readonly channel: string;
  readonly binary: boolean;
  readonly data: Uint8Array;
}
export interface DeliveredFrame {
  readonly kind: 'delivered';
  readonly seq: number;
  readonly success: number;
  readonly fail: number;
}
/** So many frames to you were refused since the last batch (rule 14). */
export interface Dropped {
  readonly kind: 'dropped';
  readonly count: number;
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

export type ControlFrame =
  | Hello
  | Accept
  | Reject
  | Ping
  | PingAck
  | PingRequest
  | PingNack
  | Gossip
  | State
  | Announce
  | AnnounceAck
  | Sync
  | Register
  | RegisterAck;
export type DataFrame = Publish | DeliveredFrame | Dropped | Ask | Reply;
export type Frame = ControlFrame | DataFrame;
export type FrameKind = Frame['kind'];
