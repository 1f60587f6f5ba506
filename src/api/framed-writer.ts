/**
 * Writes the messages of one gRPC stream in batches: everything of an event-loop turn is one write, and while a write is under
 * way the next batch collects. grpc-js writes one message at a time and waits for each: about 25 thousand a second on a stream,
 * a fifth of what it does with batches (bench/api-grpc.mjs).
 */

/** What a call offers for writing: a Writable in object mode. */
interface Sink {
  write(message: unknown, written: () => void): boolean;
}

const HEADER_BYTES = 5;

/**
 * Several messages as one piece of the stream. grpc-js asks what `responseSerialize` returned for its length and to copy itself
 * behind a header of five bytes; this copies itself over that header, every message with its own.
 */
class Batch {
  readonly byteLength: number;

  constructor(
    private readonly messages: readonly Buffer[],
    bytes: number,
  ) {
    this.byteLength = bytes - HEADER_BYTES;
  }

  copy(target: Buffer): void {
    let at = 0;
    for (const message of this.messages) {
      target[at] = 0;
      target.writeUInt32BE(message.length, at + 1);
      target.set(message, at + HEADER_BYTES);
      at += HEADER_BYTES + message.length;
    }
  }
}

/** The `responseSerialize` of methods whose calls are written to by a FramedWriter. */
export function serializeBatch(batch: unknown): Buffer {
  return batch as Buffer;
}

/** One write is about this large at most, so that a client that stops reading holds little. */
const WRITE_BYTES = 256 * 1024;

export class FramedWriter {
  private messages: Buffer[] = [];
  private bytes = 0;
  /** A write is under way, or waits for the end of the turn. */
  private busy = false;
  private readonly write = (): void => {
    this.busy = this.messages.length > 0;
    if (this.busy) this.sink.write(this.nextBatch(), this.write);
    this.progressed();
  };

  /** `progressed` is called after each write; `isIdle` says whether it was the last. */
  constructor(
    private readonly sink: Sink,
    private readonly progressed: () => void,
  ) {}

  /** Bytes that wait to be written. */
  get waiting(): number {
    return this.bytes;
  }

  get isIdle(): boolean {
    return !this.busy;
  }

  add(message: Buffer): void {
    this.messages.push(message);
    this.bytes += HEADER_BYTES + message.length;
    if (this.busy) return;
    this.busy = true;
    setImmediate(this.write);
  }

  /** Forgets what waits. */
  discard(): void {
    this.messages = [];
    this.bytes = 0;
  }

  private nextBatch(): Batch {
    let messages = this.messages;
    let bytes = this.bytes;
    if (bytes > WRITE_BYTES) {
      let count = 0;
      for (bytes = 0; bytes < WRITE_BYTES; count++) bytes += HEADER_BYTES + messages[count].length;
      this.messages = messages.slice(count);
      messages = messages.slice(0, count);
    } else this.messages = [];
    this.bytes -= bytes;
    return new Batch(messages, bytes);
  }
}
