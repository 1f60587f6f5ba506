/**
 * Batches: frames in order ↔ the bytes of one gRPC message. BatchWriter collects the frames for one lane until the stream
 * can take them; readBatch takes a peer's batch apart and refuses whatever is not of that lane.
 */

import { BUSY, busySize, readBusy, writeBusy } from './busy.js';
import { ByteReader, MalformedBatch, varintLength, writeVarint } from './bytes.js';
import { KIND_OF, KINDS, laneOfNumber, type WireFrame, type WireLane } from './kinds.js';
import type { Names } from './names.js';

/** Tag of `Batch.frames`. */
const FRAMES = 0x0a;
const SMALLEST_SLAB = 4096;

export class BatchWriter {
  /** Written to front to back and cut into batches; never written over, so a batch is a view of it and is not copied. */
  #slab = Buffer.allocUnsafeSlow(0);
  #start = 0;
  #at = 0;
  #cut: Buffer[] = [];
  #cutBytes = 0;

  /** `maxBatchBytes`: a batch is cut before it grows over this, unless a single frame is larger. */
  constructor(
    readonly maxBatchBytes: number,
    readonly maxFrameBytes: number,
  ) {}

  /** Bytes that wait to be taken. */
  get bytes(): number {
    return this.#cutBytes + this.#at - this.#start;
  }

  /** Adds a frame behind the others. False: it is over the bound and was not taken. */
  add(frame: WireFrame): boolean {
    switch (frame.kind) {
      case 'publish':
      case 'delivered':
      case 'ask':
      case 'reply': {
        if (!this.#open(BUSY[frame.kind], busySize(frame))) return false;
        this.#at = writeBusy(this.#slab, this.#at, frame);
        return true;
      }
      default: {
        const kind = KIND_OF.get(frame.kind);
        if (kind === undefined) throw new Error(`proto/peer.proto has no message for the frame "${frame.kind}"`);
        const message = kind.encode(frame);
        if (!this.#open(kind.number, message.length)) return false;
        this.#slab.set(message, this.#at);
        this.#at += message.length;
        return true;
      }
    }
  }

  /** Ends the batch here: what is added later is another gRPC message. */
  cut(): void {
    if (this.#at === this.#start) return;
    this.#cut.push(this.#slab.subarray(this.#start, this.#at));
    this.#cutBytes += this.#at - this.#start;
    this.#start = this.#at;
  }

  /** The oldest batch, or null when nothing waits. */
  take(): Buffer | null {
    if (this.#cut.length === 0) this.cut();
    const batch = this.#cut.shift();
    if (batch === undefined) return null;
    this.#cutBytes -= batch.length;
    return batch;
  }

  /** Makes room for a frame's message of `size` bytes and writes what stands before it. */
  #open(number: number, size: number): boolean {
    const tag = number * 8 + 2;
    const frameSize = varintLength(tag) + varintLength(size) + size;
    const whole = 1 + varintLength(frameSize) + frameSize;
    if (frameSize > this.maxFrameBytes) return false;
    if (this.#at - this.#start + whole > this.maxBatchBytes) this.cut();
    if (this.#at + whole > this.#slab.length) this.#renew(whole);
    let at = this.#at;
    this.#slab[at++] = FRAMES;
    at = writeVarint(this.#slab, at, frameSize);
    at = writeVarint(this.#slab, at, tag);
    this.#at = writeVarint(this.#slab, at, size);
    return true;
  }

  /** A new slab, twice as large while batches fill it, up to the largest batch: 500 quiet peers cost little, a busy one is served in large pieces. */
  #renew(room: number): void {
    const filled = this.#at - this.#start > this.#slab.length / 2;
    const size = filled ? this.#slab.length * 2 : this.#slab.length;
    this.cut();
    this.#slab = Buffer.allocUnsafeSlow(Math.max(room, Math.min(this.maxBatchBytes, Math.max(SMALLEST_SLAB, size))));
    this.#start = 0;
    this.#at = 0;
  }
}

/** Takes a batch apart, in order. Throws MalformedBatch for anything that a node of this version would not send on that lane. */
export function readBatch(bytes: Buffer, lane: WireLane, names: Names, maxFrameBytes: number): WireFrame[] {
  const frames: WireFrame[] = [];
  const reader = new ByteReader(bytes);
  const whole = bytes.length;
  while (reader.at < whole) {
    const tag = reader.varint();
    if (tag !== FRAMES) {
      reader.skip(tag);
      continue;
    }
    const stop = reader.span();
    if (stop - reader.at > maxFrameBytes) throw new MalformedBatch(`a frame of ${stop - reader.at} bytes`);
    reader.end = stop;
    readFrame(reader, lane, names, frames);
    reader.at = stop;
    reader.end = whole;
  }
  return frames;
}

/** Reads one frame, which is one field: its number names the kind. */
function readFrame(reader: ByteReader, lane: WireLane, names: Names, into: WireFrame[]): void {
  const tag = reader.varint();
  const number = tag >>> 3;
  if ((tag & 7) !== 2) throw new MalformedBatch(`frame ${number} is no message`);
  if (reader.span() !== reader.end) throw new MalformedBatch(`frame ${number} does not fill its frame`);
  const kind = KINDS[number];
  if (kind === undefined) throw new MalformedBatch(`frame ${number} is unknown`);
  // The links' word that a lane ends comes last on that lane; a relay travels on the lane of the frames in it.
  const onEither = kind.name === 'closing' || (kind.name === 'relay' && lane !== 'link');
  if (laneOfNumber(number) !== lane && !onEither) throw new MalformedBatch(`a ${kind.name} frame on the ${lane} lane`);
  if (number <= BUSY.reply) into.push(readBusy(number, reader, names));
  else into.push(kind.decode(reader.bytes.subarray(reader.at, reader.end)));
}
