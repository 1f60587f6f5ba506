/**
 * Protobuf's primitives by hand: varints, lengths, text. Used for the frames that are too many to go through a library
 * (busy.ts); everything here is synchronous and allocates nothing.
 */

/** Bytes that are not what peer.proto says. The link that they came from ends. */
export class MalformedBatch extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MalformedBatch';
  }
}

/** Protobuf's wire types, the low three bits of a tag. */
export const VARINT = 0;
export const BYTES = 2;

/** Bytes that `value` (0 … 2^53-1) takes as a varint. */
export function varintLength(value: number): number {
  if (value < 0x80) return 1;
  if (value < 0x4000) return 2;
  if (value < 0x200000) return 3;
  if (value < 0x10000000) return 4;
  let length = 4;
  for (let rest = Math.floor(value / 0x10000000); rest > 0; rest = Math.floor(rest / 0x80)) length++;
  return length;
}

/** Writes `value` (0 … 2^53-1) at `at` and returns the place after it. */
export function writeVarint(bytes: Uint8Array, at: number, value: number): number {
  let rest = value;
  let to = at;
  while (rest >= 0x80000000) {
    bytes[to++] = (rest % 0x80) | 0x80;
    rest = Math.floor(rest / 0x80);
  }
  while (rest >= 0x80) {
    bytes[to++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[to++] = rest;
  return to;
}

/** Writes `text`, of which `length` is the size in UTF-8, and returns the place after it. */
export function writeText(bytes: Buffer, at: number, text: string, length: number): number {
  // Short ASCII, nearly every channel: a loop beats the call into the runtime.
  if (length === text.length && length < 48) {
    for (let i = 0; i < length; i++) bytes[at + i] = text.charCodeAt(i);
    return at + length;
  }
  return at + bytes.write(text, at, length, 'utf8');
}

/** Reads one batch, or one message in it, from front to back. Every read is checked against the end. */
export class ByteReader {
  at: number;

  constructor(
    readonly bytes: Buffer,
    at = 0,
    public end: number = bytes.length,
  ) {
    this.at = at;
  }

  /** An unsigned number up to 2^53-1; larger ones are nothing that a node sends. */
  varint(): number {
    const { bytes, end } = this;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      if (this.at >= end) throw new MalformedBatch('a number is cut off');
      const byte = bytes[this.at++];
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) {
        if (value > Number.MAX_SAFE_INTEGER) throw new MalformedBatch('a number is over 2^53');
        return value;
      }
      scale *= 0x80;
    }
    throw new MalformedBatch('a number has more than 10 bytes');
  }

  /** Reads a length and returns the place where its bytes end; they begin at `at`. */
  span(): number {
    const length = this.varint();
    const stop = this.at + length;
    if (stop > this.end) throw new MalformedBatch(`${length} bytes are announced, ${this.end - this.at} are left`);
    return stop;
  }

  /** The next bytes with a length before them, as a view: nothing is copied. */
  view(): Buffer {
    const stop = this.span();
    const view = this.bytes.subarray(this.at, stop);
    this.at = stop;
    return view;
  }

  text(): string {
    const stop = this.span();
    const text = this.bytes.toString('utf8', this.at, stop);
    this.at = stop;
    return text;
  }

  /** Steps over a field that this version does not know. */
  skip(tag: number): void {
    const type = tag & 7;
    if (type === VARINT) this.varint();
    else if (type === BYTES) this.at = this.span();
    else if (type === 5) this.at += 4;
    else if (type === 1) this.at += 8;
    else throw new MalformedBatch(`wire type ${type} is none that nodes use`);
    if (this.at > this.end) throw new MalformedBatch('a field is cut off');
  }
}
