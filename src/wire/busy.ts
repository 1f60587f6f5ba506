/**
 * The busy frames of the data lane ↔ bytes, by hand: publishes, their counts, and what one node asks of another. Field
 * numbers are those of proto/peer.proto; test/wire compares each with the library's codec. A payload is copied once when it
 * is written and not at all when it is read (it is a view of the batch, which nobody else keeps).
 */
import { utf8Length } from '../core/channel.js';
import type { Ask, DeliveredFrame, Publish, Reply } from '../core/frames.js';
import { type ByteReader, MalformedBatch, varintLength, writeText, writeVarint } from './bytes.js';
import type { Names } from './names.js';

/** The frames that are written here, with their numbers in `Frame`; all other kinds go by reflection (kinds.ts). */
export const BUSY = { publish: 1, delivered: 2, ask: 3, reply: 4 } as const;
export type BusyFrame = Publish | DeliveredFrame | Ask | Reply;

/** Tags of a message's fields: number * 8 + wire type. */
const VARINT_1 = 0x08;
const VARINT_2 = 0x10;
const BYTES_2 = 0x12;
const VARINT_3 = 0x18;
const BYTES_3 = 0x1a;
const BYTES_4 = 0x22;

// A field of its default value is left out, as protobuf does.
const numberSize = (value: number) => (value === 0 ? 0 : 1 + varintLength(value));
const flagSize = (value: boolean) => (value ? 2 : 0);
const bytesSize = (length: number) => (length === 0 ? 0 : 1 + varintLength(length) + length);

function putNumber(bytes: Buffer, at: number, tag: number, value: number): number {
  if (value === 0) return at;
  bytes[at] = tag;
  return writeVarint(bytes, at + 1, value);
}

function putFlag(bytes: Buffer, at: number, tag: number, value: boolean): number {
  if (!value) return at;
  bytes[at] = tag;
  bytes[at + 1] = 1;
  return at + 2;
}

function putBytes(bytes: Buffer, at: number, tag: number, value: Uint8Array): number {
  const length = value.length;
  if (length === 0) return at;
  bytes[at] = tag;
  const start = writeVarint(bytes, at + 1, length);
  bytes.set(value, start);
  return start + length;
}

function putText(bytes: Buffer, at: number, tag: number, text: string): number {
  const length = utf8Length(text);
  if (length === 0) return at;
  bytes[at] = tag;
  return writeText(bytes, writeVarint(bytes, at + 1, length), text, length);
}

function packedLength(values: readonly number[]): number {
  let length = 0;
  for (let i = 0; i < values.length; i++) length += varintLength(values[i]);
  return length;
}

function putPacked(bytes: Buffer, at: number, tag: number, values: readonly number[]): number {
  if (values.length === 0) return at;
  bytes[at] = tag;
  let to = writeVarint(bytes, at + 1, packedLength(values));
  for (let i = 0; i < values.length; i++) to = writeVarint(bytes, to, values[i]);
  return to;
}

/** Bytes of the frame's message. */
export function busySize(frame: BusyFrame): number {
  switch (frame.kind) {
    case 'publish':
      return (
        numberSize(frame.seq) +
        bytesSize(utf8Length(frame.channel)) +
        flagSize(frame.binary) +
        bytesSize(frame.data.length)
      );
    case 'delivered':
      return numberSize(frame.seq) + bytesSize(packedLength(frame.counts));
    case 'ask':
      return numberSize(frame.id) + bytesSize(utf8Length(frame.op)) + bytesSize(frame.body.length);
    case 'reply':
      return numberSize(frame.id) + flagSize(frame.ok) + bytesSize(frame.body.length);
  }
}

/** Writes the frame's message at `at`, where busySize bytes are free, and returns the place after it. */
export function writeBusy(bytes: Buffer, start: number, frame: BusyFrame): number {
  let at = start;
  switch (frame.kind) {
    case 'publish':
      at = putNumber(bytes, at, VARINT_1, frame.seq);
      at = putText(bytes, at, BYTES_2, frame.channel);
      at = putFlag(bytes, at, VARINT_3, frame.binary);
      return putBytes(bytes, at, BYTES_4, frame.data);
    case 'delivered':
      at = putNumber(bytes, at, VARINT_1, frame.seq);
      return putPacked(bytes, at, BYTES_2, frame.counts);
    case 'ask':
      at = putNumber(bytes, at, VARINT_1, frame.id);
      at = putText(bytes, at, BYTES_2, frame.op);
      return putBytes(bytes, at, BYTES_3, frame.body);
    case 'reply':
      at = putNumber(bytes, at, VARINT_1, frame.id);
      at = putFlag(bytes, at, VARINT_2, frame.ok);
      return putBytes(bytes, at, BYTES_3, frame.body);
  }
}

const NOTHING: Buffer = Buffer.alloc(0);

/** Reads the message of a frame, which ends at `from.end`. */
export function readBusy(number: number, from: ByteReader, names: Names): BusyFrame {
  switch (number) {
    case BUSY.publish:
      return readPublish(from, names);
    case BUSY.delivered:
      return readDelivered(from);
    case BUSY.ask:
      return readAsk(from);
    default:
      return readReply(from);
  }
}

function readPublish(from: ByteReader, names: Names): Publish {
  let seq = 0;
  let channel = '';
  let binary = false;
  let data = NOTHING;
  while (from.at < from.end) {
    const tag = from.varint();
    if (tag === VARINT_1) seq = from.varint();
    else if (tag === BYTES_2) {
      const stop = from.span();
      channel = names.read(from.bytes, from.at, stop);
      from.at = stop;
    } else if (tag === VARINT_3) binary = from.varint() !== 0;
    else if (tag === BYTES_4) data = from.view();
    else from.skip(tag);
  }
  if (channel === '') throw new MalformedBatch('a publish without a channel');
  return { kind: 'publish', seq, channel, binary, data };
}

function readDelivered(from: ByteReader): DeliveredFrame {
  let seq = 0;
  const counts: number[] = [];
  while (from.at < from.end) {
    const tag = from.varint();
    if (tag === VARINT_1) seq = from.varint();
    else if (tag === BYTES_2) {
      const stop = from.span();
      while (from.at < stop) counts.push(from.varint());
      if (from.at > stop) throw new MalformedBatch('counts are cut off');
    } else if (tag === VARINT_2) counts.push(from.varint());
    else from.skip(tag);
  }
  if (counts.length % 3 !== 0) throw new MalformedBatch(`${counts.length} counts are no triples`);
  return { kind: 'delivered', seq, counts };
}

function readAsk(from: ByteReader): Ask {
  let id = 0;
  let op = '';
  let body = NOTHING;
  while (from.at < from.end) {
    const tag = from.varint();
    if (tag === VARINT_1) id = from.varint();
    else if (tag === BYTES_2) op = from.text();
    else if (tag === BYTES_3) body = from.view();
    else from.skip(tag);
  }
  return { kind: 'ask', id, op, body };
}

function readReply(from: ByteReader): Reply {
  let id = 0;
  let ok = false;
  let body = NOTHING;
  while (from.at < from.end) {
    const tag = from.varint();
    if (tag === VARINT_1) id = from.varint();
    else if (tag === VARINT_2) ok = from.varint() !== 0;
    else if (tag === BYTES_3) body = from.view();
    else from.skip(tag);
  }
  return { kind: 'reply', id, ok, body };
}
