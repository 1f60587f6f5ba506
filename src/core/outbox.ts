/**
 * What this node has for one peer: control frames, small data frames, and the numbered frames (publishes) that stay here
 * until the peer acknowledged them, so that a session that comes back can go on where it stopped (rules 14 and 16).
 * Everything of one event-loop turn leaves as one batch per lane.
 */
import type { ControlFrame, DataFrame, Frame, NumberedFrame } from './frames.js';
import type { Pending } from './pending.js';
import type { LinkId, Links } from './ports.js';

/** Where a subscriber count is remembered: a row of the directory, or of a lease. */
export interface Counted {
  lastCount: number;
}

/** A numbered frame that the peer has not acknowledged. */
interface InFlight {
  readonly frame: NumberedFrame;
  readonly at: number;
  pending: Pending | null;
  readonly row: Counted | null;
}

export interface OutboxLimits {
  readonly queueBytes: number;
  readonly queueFrames: number;
}

/** Channel names a DROPPED frame carries; beyond it the receiver takes any channel as hit. */
const NAMED_DROPS = 64;
/** What a frame costs beside its payload and channel: about what it takes in memory. */
const FRAME_BYTES = 64;
/** One batch carries at most so many numbered frames, and no further one once its payloads are over so many bytes. */
const BATCH_FRAMES = 4096;
const BATCH_BYTES = 1_048_576;
/** Compact the ring when so many entries in front of it are done. */
const COMPACT = 1024;

const NONE = { success: 0, fail: 0 };

export class Outbox {
  /** Bytes of the numbered frames that wait or are not acknowledged. */
  bytes = 0;
  /** Publishes refused because the bound was reached. */
  refused = 0;
  /** Since when a lane takes nothing, for each lane; null while it does. */
  private controlFull: number | null = null;
  private dataFull: number | null = null;

  private control: ControlFrame[] = [];
  private loose: DataFrame[] = [];
  /** Unacknowledged numbered frames; those before `head` are done. `flight[head]` has number `firstSeq`. */
  private flight: InFlight[] = [];
  private head = 0;
  private firstSeq = 1;
  /** Number of the next frame to hand to the link. */
  private nextToSend = 1;
  /** Every frame below it is acknowledged or its time is over. */
  private nextToExpire = 1;
  /** Publishes refused that the peer was not told of yet, and their channels. */
  private untold = 0;
  private untoldChannels: string[] = [];

  constructor(
    readonly nodeId: string,
    /** Names this numbering: another process, or the same after it forgot the peer, has another. */
    readonly epoch: number,
    private readonly limits: OutboxLimits,
    private readonly links: Links,
    /** Asks for a `flush` at the end of the turn. */
    private readonly wake: () => void,
  ) {}

  /** Numbered frames that wait or are not acknowledged. */
  get frames(): number {
    return this.flight.length - this.head;
  }
  get lastSeq(): number {
    return this.firstSeq + this.frames - 1;
  }
  /** Control and small data frames that wait. */
  get waiting(): number {
    return this.control.length + this.loose.length;
  }

  sendControl(frame: ControlFrame): void {
    this.control.push(frame);
    this.wake();
  }
  sendLoose(frame: DataFrame): void {
    this.loose.push(frame);
    this.wake();
  }

  /** Takes a publish; false when the bound is reached, and then the peer is told how many were refused. */
  publish(
    channel: string,
    binary: boolean,
    payload: Uint8Array,
    now: number,
    pending: Pending | null,
    row: Counted | null,
  ): boolean {
    const size = FRAME_BYTES + channel.length + payload.length;
    if (this.untold > 0) this.tellDrops(now);
    if (!this.hasRoom(size)) {
      this.refuse(channel);
      return false;
    }
    const frame = { kind: 'publish', seq: this.lastSeq + 1, channel, binary, data: payload } as const;
    this.bytes += size;
    this.flight.push({ frame, at: now, pending, row });
    pending?.expect();
    this.wake();
    return true;
  }

  private hasRoom(size: number): boolean {
    return this.frames < this.limits.queueFrames && this.bytes + size <= this.limits.queueBytes;
  }

  private refuse(channel: string): void {
    this.refused++;
    this.untold++;
    if (this.untold > NAMED_DROPS) this.untoldChannels = [];
    else if (!this.untoldChannels.includes(channel)) this.untoldChannels.push(channel);
  }

  /** As soon as there is room: between what was sent before and after them. */
  private tellDrops(now: number): void {
    if (!this.hasRoom(FRAME_BYTES)) return;
    const frame = {
      kind: 'dropped',
      seq: this.lastSeq + 1,
      count: this.untold,
      channels: this.untoldChannels,
    } as const;
    this.untold = 0;
    this.untoldChannels = [];
    this.bytes += FRAME_BYTES;
    this.flight.push({ frame, at: now, pending: null, row: null });
    this.wake();
  }

  /** Hands what waits to the link, as far as its lanes take it. */
  flush(link: LinkId, now: number): void {
    if (this.control.length > 0 && this.controlFull === null) {
      const batch = this.control;
      this.control = [];
      if (!this.links.send(link, 'control', batch)) this.controlFull = now;
    }
    while (this.dataFull === null && (this.loose.length > 0 || this.nextToSend <= this.lastSeq)) {
      const batch: Frame[] = this.loose;
      this.loose = [];
      const last = Math.min(this.lastSeq, this.nextToSend + BATCH_FRAMES - 1);
      let room = BATCH_BYTES;
      while (this.nextToSend <= last && room > 0) {
        const frame = this.flight[this.head + this.nextToSend - this.firstSeq].frame;
        batch.push(frame);
        if (frame.kind === 'publish') room -= frame.data.length;
        this.nextToSend++;
      }
      if (!this.links.send(link, 'data', batch)) this.dataFull = now;
    }
  }

  drained(lane: 'control' | 'data'): void {
    if (lane === 'control') this.controlFull = null;
    else this.dataFull = null;
    this.wake();
  }

  /** The data lane takes more now. */
  get takesData(): boolean {
    return this.dataFull === null;
  }

  /** Since when a lane takes nothing; null when both do (rule 14). */
  get stalledSince(): number | null {
    if (this.controlFull === null) return this.dataFull;
    return this.dataFull === null ? this.controlFull : Math.min(this.controlFull, this.dataFull);
  }

  /** Applies the peer's counts: triples (frames, success, fail) from number `seq` on. False when they do not fit what was sent. */
  delivered(seq: number, counts: readonly number[], now: number): boolean {
    if (seq !== this.firstSeq || counts.length % 3 !== 0) return false;
    let frames = 0;
    for (let i = 0; i < counts.length; i += 3) frames += counts[i];
    if (this.firstSeq + frames > this.nextToSend) return false;
    for (let i = 0; i < counts.length; i += 3) {
      const success = counts[i + 1];
      const fail = counts[i + 2];
      for (let run = counts[i]; run > 0; run--) this.acknowledge(success, fail);
    }
    this.compact();
    if (this.untold > 0) this.tellDrops(now);
    return true;
  }

  private acknowledge(success: number, fail: number): void {
    const entry = this.flight[this.head];
    this.flight[this.head] = DONE;
    this.head++;
    this.firstSeq++;
    this.bytes -= sizeOf(entry.frame);
    if (entry.row !== null) entry.row.lastCount = success + fail;
    entry.pending?.settle(success, fail);
  }

  private compact(): void {
    if (this.head === this.flight.length) {
      this.flight.length = 0;
      this.head = 0;
    } else if (this.head >= COMPACT && this.head * 2 >= this.flight.length) {
      this.flight.splice(0, this.head);
      this.head = 0;
    }
  }

  /** Publishes handed over at or before `limit` (ms) are no longer waited for; they stay until acknowledged. */
  expire(limit: number): void {
    if (this.nextToExpire < this.firstSeq) this.nextToExpire = this.firstSeq;
    while (this.nextToExpire <= this.lastSeq) {
      const entry = this.flight[this.head + this.nextToExpire - this.firstSeq];
      if (entry.at > limit) return;
      this.nextToExpire++;
      this.unconfirm(entry);
    }
  }

  private unconfirm(entry: InFlight): void {
    const pending = entry.pending;
    entry.pending = null;
    pending?.unconfirm(this.nodeId, entry.row?.lastCount ?? 1);
  }

  /** The session is lost: nobody waits for counts of what it carried, small frames are gone, numbered ones stay for its return. */
  sessionLost(): void {
    this.control = [];
    this.loose = [];
    this.controlFull = null;
    this.dataFull = null;
    this.nextToSend = this.firstSeq;
    this.expire(Number.POSITIVE_INFINITY);
  }

  /**
   * A session begins whose other side has everything up to `lastReceived` of `lastEpoch`. Says which number comes first now.
   * When it knows another numbering, what it may have got is unknown and is not sent twice.
   */
  sessionBegins(lastEpoch: number, lastReceived: number): void {
    const known = lastEpoch === this.epoch && lastReceived >= this.firstSeq - 1 && lastReceived <= this.lastSeq;
    const upTo = known ? lastReceived : this.lastSeq;
    while (this.firstSeq <= upTo) this.acknowledge(NONE.success, NONE.fail);
    this.compact();
    this.nextToSend = this.firstSeq;
    this.loose.unshift({ kind: 'numbering', epoch: this.epoch, first: this.firstSeq });
    this.wake();
  }

  /** Gives up what waits, when the peer did not come back in time: the next session's NUMBERING tells it (rule 16). */
  giveUp(): void {
    while (this.frames > 0) this.acknowledge(NONE.success, NONE.fail);
    this.compact();
    this.nextToSend = this.firstSeq;
  }
}

const DONE: InFlight = {
  frame: { kind: 'dropped', seq: 0, count: 0, channels: [] },
  at: 0,
  pending: null,
  row: null,
};

function sizeOf(frame: NumberedFrame): number {
  return frame.kind === 'publish' ? FRAME_BYTES + frame.channel.length + frame.data.length : FRAME_BYTES;
}
