/**
 * One direction pair of a link: a gRPC stream with batches going both ways. Frames that are sent are encoded at once and wait
 * as bytes; one batch is given to the stream at a time, so what gathers while it is being written becomes the next, and
 * batches grow with the load by themselves.
 */
import type { Duplex } from 'node:stream';
import { status as Status } from '@grpc/grpc-js';
import { BatchWriter } from '../wire/batch.js';
import type { WireFrame } from '../wire/kinds.js';
import type { LinkLimits } from './options.js';

/** What a gRPC stream is on both sides: Buffers in, Buffers out. */
export type GrpcStream = Duplex;

/** How a stream ended: gRPC's status, OK when the other side ended it itself. */
export interface StreamEnd {
  readonly code: number;
  readonly text: string;
}

export interface LaneEvents {
  batch(bytes: Buffer): void;
  /** A batch of so many bytes is given to the connection. */
  sent(bytes: number): void;
  drained(): void;
  /** Once, after everything that arrived. */
  ended(end: StreamEnd): void;
}

export class Lane {
  /** Whoever drives the lane at the moment: the handshake first, the link afterwards. */
  events: LaneEvents;
  readonly #stream: GrpcStream;
  readonly #writer: BatchWriter;
  readonly #highWater: number;
  /** Size of the batch that the stream is writing, 0 when it is idle. */
  #writing = 0;
  #full = false;
  #finishing = false;
  /** The other side will send nothing more; it may still read. */
  #ended = false;
  /** Nothing more can be written. */
  #dead = false;

  constructor(stream: GrpcStream, limits: LinkLimits, events: LaneEvents) {
    this.events = events;
    this.#stream = stream;
    this.#highWater = limits.highWaterBytes;
    this.#writer = new BatchWriter(limits.maxBatchBytes, limits.maxFrameBytes);
    stream.on('data', (bytes: Buffer) => {
      if (!this.#ended) this.events.batch(bytes);
    });
    // A client stream tells its end by 'status', a server stream by 'end' (half-closed) or 'cancelled' (gone).
    stream.on('status', (end: { code: number; details: string }) => this.#die(end.code, end.details));
    stream.on('cancelled', () => this.#die(Status.CANCELLED, 'the connection was lost'));
    stream.on('end', () => {
      if (!('cancel' in stream)) this.#end(Status.OK, '');
    });
    // Told by status or cancelled as well; without a listener it would end the process.
    stream.on('error', () => {});
  }

  /** Bytes encoded and not yet taken by the connection. */
  get queuedBytes(): number {
    return this.#writer.bytes + this.#writing;
  }

  /** Takes frames for sending, in order. `refused` is called with each that is over the frame bound. False: wait for `drained`. */
  send(frames: readonly WireFrame[], refused: (frame: WireFrame) => void): boolean {
    if (this.#dead || this.#finishing) return false;
    for (const frame of frames) if (!this.#writer.add(frame)) refused(frame);
    this.#pump();
    if (this.queuedBytes >= this.#highWater) this.#full = true;
    return !this.#full;
  }

  /** Sends one of the links' own frames as a batch of its own. */
  say(frame: WireFrame): void {
    if (this.#dead || this.#finishing) return;
    this.#writer.cut();
    this.#writer.add(frame);
    this.#writer.cut();
    this.#pump();
  }

  /** Says goodbye and ends this direction once everything before it is written. */
  finish(reason: string): void {
    if (this.#finishing) return;
    this.say({ kind: 'closing', reason });
    this.#finishing = true;
    this.#pump();
  }

  #pump(): void {
    if (this.#writing > 0 || this.#dead) return;
    const batch = this.#writer.take();
    if (batch === null) {
      if (this.#finishing) this.#stream.end();
      return;
    }
    this.#writing = batch.length;
    this.events.sent(batch.length);
    this.#stream.write(batch, () => this.#written());
  }

  #written(): void {
    this.#writing = 0;
    this.#pump();
    if (this.#full && !this.#dead && this.queuedBytes <= this.#highWater / 4) {
      this.#full = false;
      this.events.drained();
    }
  }

  #die(code: number, text: string): void {
    this.#dead = true;
    this.#end(code, text);
  }

  #end(code: number, text: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.events.ended({ code, text });
  }
}
