/** One link in memory: two lanes in each direction, in order each, and how it ends. network.ts opens and breaks them. */
import type { Frame } from '../core/frames.js';
import type { Lane, LinkEnd, LinkId } from '../core/ports.js';
import type { Endpoint } from './endpoint.js';
import type { Network } from './network.js';
import type { Event } from './time.js';

/** What travels: frames, or the end of the lane. */
interface Batch {
  readonly frames: readonly Frame[] | null;
  readonly sentAt: number;
  /** Its arrival; null while the way is held. */
  event: Event | null;
}

/** One lane in one direction. */
export class Pipe {
  /** Sent, not arrived; oldest first. */
  private readonly underWay: Batch[] = [];
  private lastArrival = 0;
  private full = false;

  constructor(
    private readonly network: Network,
    readonly wire: Wire,
    readonly lane: Lane,
    readonly from: Endpoint,
    readonly to: Endpoint,
    /** The link's ids at both ends. */
    private readonly fromId: LinkId,
    private readonly toId: LinkId,
  ) {}

  /** False when the lane is full now. */
  send(frames: readonly Frame[] | null): boolean {
    const batch: Batch = { frames, sentAt: this.network.time.now, event: null };
    this.underWay.push(batch);
    if (this.network.passes(this.from.place, this.to.place, this.lane)) this.schedule(batch);
    this.full ||= this.underWay.length >= this.network.laneBatches;
    return !this.full;
  }

  /** Nothing arrives before that moment. */
  notBefore(time: number): void {
    this.lastArrival = Math.max(this.lastArrival, time);
  }

  /** The way is free again: what waited goes on. */
  release(): void {
    for (const batch of this.underWay) if (batch.event === null) this.schedule(batch);
  }

  /** Loses what is under way from the `kept`-th on. */
  lose(kept: number): void {
    for (const batch of this.underWay.splice(kept)) if (batch.event !== null) batch.event.fn = null;
  }

  get waiting(): number {
    return this.underWay.length;
  }

  private schedule(batch: Batch): void {
    const { time } = this.network;
    this.lastArrival = Math.max(this.lastArrival, time.now + this.network.latency(this.from.place, this.to.place));
    batch.event = time.at(this.lastArrival, this.to.host, () => this.arrive());
  }

  private arrive(): void {
    const { frames, sentAt } = this.underWay.shift()!;
    if (this.full && 2 * this.underWay.length <= this.network.laneBatches) {
      this.full = false;
      const { time } = this.network;
      time.at(time.now, this.from.host, () => this.from.drained(this.fromId, this.lane));
    }
    if (frames === null) this.to.laneEnded(this.toId);
    else this.to.received(this.toId, this.lane, frames, sentAt);
  }
}

export class Wire {
  /** From the dialer to the acceptor and back; empty while it is being opened. */
  pipes: readonly Pipe[] = [];
  acceptor: Endpoint | null = null;
  /** The dialer gave up, or was told, before it was open. */
  given = false;
  /** How it ends; null while it does not. Nothing that is sent from then on arrives. */
  ending: { readonly end: LinkEnd; readonly text: string } | null = null;

  constructor(
    /** Its id at the dialer's end. */
    readonly dialerId: LinkId,
    readonly dialer: Endpoint,
    readonly address: string,
  ) {}

  /** Its id at the acceptor's end. A process may dial itself, so each end has its own. */
  get acceptorId(): LinkId {
    return this.dialerId + 1;
  }

  open(network: Network, acceptor: Endpoint): void {
    this.acceptor = acceptor;
    const { dialer, dialerId, acceptorId } = this;
    this.pipes = [
      new Pipe(network, this, 'control', dialer, acceptor, dialerId, acceptorId),
      new Pipe(network, this, 'data', dialer, acceptor, dialerId, acceptorId),
      new Pipe(network, this, 'control', acceptor, dialer, acceptorId, dialerId),
      new Pipe(network, this, 'data', acceptor, dialer, acceptorId, dialerId),
    ];
  }

  /** Out of the end with that id. */
  pipe(end: LinkId, lane: Lane): Pipe {
    return this.pipes[(end === this.dialerId ? 0 : 2) + (lane === 'control' ? 0 : 1)];
  }

  /** Who is at the other end. */
  across(end: LinkId): Endpoint {
    return end === this.dialerId ? this.acceptor! : this.dialer;
  }
}
