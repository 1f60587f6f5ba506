/**
 * An open, authenticated link: frames in and out on two lanes, and its end. How it came to be is in dial.ts and arrival.ts,
 * which both hand their lanes over to a Link.
 */
import { status as Status } from '@grpc/grpc-js';
import type { Frame } from '../core/frames.js';
import type { Lane as LaneName, LinkEnd, LinkId, Meter } from '../core/ports.js';
import { readBatch } from '../wire/batch.js';
import { MalformedBatch } from '../wire/bytes.js';
import type { WireFrame } from '../wire/kinds.js';
import { Names } from '../wire/names.js';
import type { Lane, StreamEnd } from './lane.js';
import type { LinkLimits } from './options.js';

export interface Lanes {
  readonly control: Lane;
  readonly data: Lane;
}

/** What a link tells of itself. */
export interface LinkOwner {
  received(link: LinkId, lane: LaneName, frames: readonly Frame[]): void;
  drained(link: LinkId, lane: LaneName): void;
  /** The other side, the network or a broken rule ended it. Not called after close. */
  closed(link: Link, end: LinkEnd, text: string): void;
  /** Its sockets are given back; nothing is left. */
  gone(link: Link): void;
  refused(link: Link, frame: WireFrame): void;
}

/** What carries the lanes, and how to let go of it. */
export interface Carrier {
  /** "ip:port" of the other side. */
  readonly remote: string;
  /** Ends the connections politely: what was written still goes out. */
  release(): void;
  /** Cuts the connections at once. */
  sever(): void;
}

const LANES = ['control', 'data'] as const;

export class Link {
  readonly #names = new Names();
  /** Lanes on which the other side said that it closes, or whose stream has ended. */
  readonly #over = { control: false, data: false };
  readonly #streamOver = { control: false, data: false };
  #state: 'open' | 'closing' | 'gone' = 'open';
  /** The other side's reason, once it said that it closes. */
  #goodbye: string | null = null;

  constructor(
    readonly id: LinkId,
    /** The other side's name, as it proved to be of our cluster. */
    readonly peer: string,
    readonly carrier: Carrier,
    private readonly lanes: Lanes,
    private readonly limits: LinkLimits,
    private readonly owner: LinkOwner,
    private readonly meter: Meter,
  ) {
    for (const lane of LANES) {
      lanes[lane].events = {
        batch: (bytes) => this.#batch(lane, bytes),
        sent: (bytes) => meter.count('peer_sent_bytes_total', bytes, lane),
        drained: () => {
          if (this.#state === 'open') owner.drained(id, lane);
        },
        ended: (end) => this.#streamEnded(lane, end),
      };
    }
  }

  send(lane: LaneName, frames: readonly Frame[]): boolean {
    if (this.#state !== 'open') return false;
    return this.lanes[lane].send(frames, (frame) => this.owner.refused(this, frame));
  }

  queuedBytes(lane: LaneName): number {
    return this.lanes[lane].queuedBytes;
  }

  /** Ends the link from this side: what was sent before still goes out, for at most closeMs. */
  close(reason: string): void {
    if (this.#state !== 'open') return;
    this.#finish(reason);
  }

  #finish(reason: string): void {
    this.#state = 'closing';
    for (const lane of LANES) this.lanes[lane].finish(reason);
    this.#goneWithin(this.limits.closeMs);
    this.#goneWhenOver();
  }

  #batch(lane: LaneName, bytes: Buffer): void {
    if (this.#state !== 'open') return;
    this.meter.count('peer_received_bytes_total', bytes.length, lane);
    let frames: WireFrame[];
    try {
      frames = readBatch(bytes, lane, this.#names, this.limits.maxFrameBytes);
    } catch (error) {
      if (!(error instanceof MalformedBatch)) throw error;
      this.meter.count('drops_total', 1, 'malformed_batch');
      this.#fail('reset', `the peer sent what no node sends on the ${lane} lane: ${error.message}`);
      return;
    }
    const last = frames.at(-1);
    if (last?.kind === 'closing') {
      frames.pop();
      this.#goodbye = last.reason;
    }
    if (frames.length > 0) this.owner.received(this.id, lane, frames as Frame[]);
    if (last?.kind === 'closing') this.#laneOver(lane);
  }

  /** Both lanes must be over before a polite end is one: what the peer sent before it may still be under way on the other. */
  #laneOver(lane: LaneName): void {
    if (this.#state !== 'open') return;
    this.#over[lane] = true;
    if (this.#over.control && this.#over.data) this.#politeEnd();
    else setTimeout(() => this.#politeEnd(), this.limits.closeMs).unref();
  }

  #politeEnd(): void {
    if (this.#state !== 'open') return;
    this.#finish('');
    this.owner.closed(this, 'ended', this.#goodbye || 'the peer closed the link');
  }

  #streamEnded(lane: LaneName, end: StreamEnd): void {
    this.#streamOver[lane] = true;
    if (this.#state === 'closing') this.#goneWhenOver();
    else if (this.#goodbye !== null) this.#laneOver(lane);
    else if (end.code === Status.RESOURCE_EXHAUSTED) this.#fail('reset', `a batch over the bound: ${end.text}`);
    else this.#fail('reset', end.text || `the ${lane} stream broke`);
  }

  #fail(end: LinkEnd, text: string): void {
    if (this.#state !== 'open') return;
    this.#goneNow();
    this.owner.closed(this, end, text);
  }

  #goneWhenOver(): void {
    if (this.#state !== 'closing' || !this.#streamOver.control || !this.#streamOver.data) return;
    this.#state = 'gone';
    this.carrier.release();
    // A connection that does not end by itself after its streams have is cut.
    setTimeout(() => this.carrier.sever(), this.limits.closeMs).unref();
    this.owner.gone(this);
  }

  #goneWithin(ms: number): void {
    setTimeout(() => {
      if (this.#state === 'closing') this.#goneNow();
    }, ms).unref();
  }

  #goneNow(): void {
    this.#state = 'gone';
    this.carrier.release();
    this.carrier.sever();
    this.owner.gone(this);
  }
}
