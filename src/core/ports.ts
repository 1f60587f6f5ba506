/**
 * All the ways in which the core affects the world, and learns of it. The process plugs in uWebSockets.js, gRPC and the
 * operating system's clock; the simulator plugs in a virtual clock, a seeded random source and an in-memory network.
 * Nothing else in core/ may reach outside.
 */
import type { Frame } from './frames.js';
import type { Message } from './message.js';
import type { CounterName, HistogramName } from './metrics.js';

/** Time. The only source of "now" and of "later" in the core. */
export interface Clock {
  /** Milliseconds on a monotonic clock, with fractions. The zero point means nothing. */
  now(): number;
  /** Calls `fn` once, `ms` milliseconds from now. The returned function cancels it (and does nothing once it has run). */
  after(ms: number, fn: () => void): Cancel;
  /** Calls `fn` when the current event-loop turn's work is done: the moment at which batches leave. */
  endOfTurn(fn: () => void): void;
}
export type Cancel = () => void;

/** Chance. Seeded in the simulator. */
export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Uniform integer in [0, 2^32). */
  uint32(): number;
}

/** A link as the core names it: one control stream and one data stream between two processes. */
export type LinkId = number;

/** Control frames are small and never wait behind payloads; payloads and their acknowledgements use the data lane. */
export type Lane = 'control' | 'data';

/** Streams to other nodes. Opens and authenticates (cluster name and secret), carries frames in order per lane, loses nothing silently. */
export interface Links {
  /** Starts opening a link; ends in `opened` or `closed` of LinkEvents, later, never within this call. */
  dial(address: string): LinkId;
  /**
   * Hands frames to a lane, in order; they are one batch. True: send on. False: taken, but the lane is full now; wait for
   * `drained` before sending more. A call on a closed link does nothing and returns false.
   */
  send(link: LinkId, lane: Lane, frames: readonly Frame[]): boolean;
  /** Closes both lanes after what was sent before has been flushed (bounded by a short time). No `closed` event follows. */
  close(link: LinkId, reason: string): void;
}

/** Why a link ended. `refused`: nobody listens there (the process is gone); `denied`: wrong cluster name, secret or certificate. */
export type LinkEnd = 'refused' | 'denied' | 'unreachable' | 'reset' | 'ended';

/** What the links tell the core. Never called from within a call of Links. */
export interface LinkEvents {
  /** Both lanes are open and authenticated. `dialed` is the address given to dial, null for an incoming link. */
  opened(link: LinkId, dialed: string | null, remote: string): void;
  /** Frames of one batch, in the order they were sent. Payload bytes belong to the receiver. */
  received(link: LinkId, lane: Lane, frames: readonly Frame[]): void;
  drained(link: LinkId, lane: Lane): void;
  closed(link: LinkId, end: LinkEnd, text: string): void;
}

/** Whom a message can be handed to: a client's connection, a back end's stream, a function of the embedding process. */
export interface Subscriber {
  /** Client id, unique in the mesh. */
  readonly id: string;
}

/** The local subscribers of one channel. Made and kept by core/subscribers.ts. */
export interface Audience {
  readonly channel: string;
  readonly subscribers: ReadonlySet<Subscriber>;
  /** The sockets' own notes on this channel (which of its subscribers are on a native topic …), null at first. The core never looks. */
  notes: unknown;
}

/** Counts of one delivery on this node; a subscriber is in exactly one of them. */
export interface Delivered {
  readonly success: number;
  readonly fail: number;
}

/** The connections of this node, as the core sees them. */
export interface Sockets {
  /** Hands the message to every subscriber of the audience, keeping the order of calls per subscriber and channel. */
  deliver(audience: Audience, message: Message): Delivered;
  /** A subscriber was added to the audience (it is already in the set). */
  joined(audience: Audience, subscriber: Subscriber): void;
  /** A subscriber was removed from the audience (it is no longer in the set). */
  left(audience: Audience, subscriber: Subscriber): void;
}

/** Structured log lines; `fields` are plain values. Levels as in LUA_API.md. */
export interface Log {
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** Numbers for operators; the names are rows of core/metrics.ts. `label` is the value of the row's label, where it has one. */
export interface Meter {
  /** Adds to a counter. */
  count(name: CounterName, by?: number, label?: string): void;
  /** Records a value (seconds, bytes) in a histogram. */
  observe(name: HistogramName, value: number, label?: string): void;
}

/** Everything the mesh needs of the world. */
export interface Ports {
  readonly clock: Clock;
  readonly random: Random;
  readonly links: Links;
  readonly sockets: Sockets;
  readonly log: Log;
  readonly meter: Meter;
}
