/**
 * The messages of the two gRPC streams ↔ bytes, by hand with wire/bytes.ts, because they are many; field numbers are those of
 * proto/lumesh.proto, and a test compares each with the library's codec. Unary calls go through the library.
 */
import { isUtf8 } from 'node:buffer';
import type { Message, PublishResult } from '../core/message.js';
import type { MeshError } from '../errors.js';
import { ByteReader, varintLength, writeVarint } from '../wire/bytes.js';
import { invalid } from './operations.js';

export interface PublishRequest {
  readonly channel: string;
  readonly data: Uint8Array;
  readonly binary: boolean;
  /** The id's varint as it came, echoed without being looked at: 64 bits do not fit a number. Empty for 0. */
  readonly id: Uint8Array;
}

const NO_BYTES = new Uint8Array(0);
/** Tags: field number * 8 + wire type (0 varint, 2 with a length). */
const CHANNEL = 0x0a;
const DATA = 0x12;
const BINARY = 0x18;
const ID = 0x20;
const PATTERN = 0x22;
const SUCCESS = 0x08;
const FAIL = 0x10;
const UNCONFIRMED = 0x1a;
const ERROR = 0x2a;

/** Throws MalformedBatch when `bytes` are no PublishRequest. Payload and id are views of `bytes`. */
export function decodePublish(bytes: Buffer): PublishRequest {
  const reader = new ByteReader(bytes);
  let channel = '';
  let data: Uint8Array = NO_BYTES;
  let binary = false;
  let id: Uint8Array = NO_BYTES;
  while (reader.at < reader.end) {
    const tag = reader.varint();
    if (tag === CHANNEL) channel = reader.text();
    else if (tag === DATA) data = reader.view();
    else if (tag === BINARY) binary = reader.varint() !== 0;
    else if (tag === ID) {
      const start = reader.at;
      while (reader.at < reader.end && bytes[reader.at] >= 0x80) reader.at++;
      reader.at++;
      // Ten bytes hold 64 bits; a longer number is none.
      if (reader.at > reader.end || reader.at - start > 10) reader.at = reader.end;
      else id = bytes.subarray(start, reader.at);
    } else reader.skip(tag);
  }
  return { channel, data, binary, id };
}

/** Text must be UTF-8: clients close a WebSocket that carries anything else. */
export function payloadProblem({
  data,
  binary,
}: {
  readonly data: Uint8Array;
  readonly binary: boolean;
}): MeshError | null {
  if (binary || isUtf8(data)) return null;
  return invalid('the data of a text message must be UTF-8; send other bytes as binary');
}

/** A PublishReply; `error` null for a result. */
export function encodeReply(id: Uint8Array, error: MeshError | null, result: PublishResult): Buffer {
  if (error === null && result.unconfirmed.length === 0) {
    const bytes = Buffer.allocUnsafe(32);
    return bytes.subarray(0, putId(bytes, putCounts(bytes, 0, result), id));
  }
  const parts: Uint8Array[] = [];
  const head = Buffer.allocUnsafe(32);
  if (error === null) parts.push(head.subarray(0, putCounts(head, 0, result)));
  for (const node of result.unconfirmed) parts.push(field(UNCONFIRMED, Buffer.from(node)));
  const tail = Buffer.allocUnsafe(16);
  parts.push(tail.subarray(0, putId(tail, 0, id)));
  if (error !== null) parts.push(field(ERROR, encodeError(error)));
  return Buffer.concat(parts);
}

/** A Message for a subscribed back end; `pattern`: by which it came, null when by its channel. */
export function encodeMessage({ channel, data, binary }: Message, pattern: string | null): Buffer {
  const parts = [field(CHANNEL, Buffer.from(channel))];
  if (data.length > 0) parts.push(field(DATA, data));
  if (binary) parts.push(Buffer.from([BINARY, 1]));
  if (pattern !== null) parts.push(field(PATTERN, Buffer.from(pattern)));
  return Buffer.concat(parts);
}

function encodeError(error: MeshError): Buffer {
  const parts = [number(SUCCESS, error.code), field(DATA, Buffer.from(error.message))];
  if (error.retryAfter !== undefined) parts.push(number(BINARY, Math.ceil(error.retryAfter * 1000)));
  return Buffer.concat(parts);
}

function putCounts(bytes: Buffer, at: number, { success, fail }: PublishResult): number {
  let to = at;
  if (success !== 0) {
    bytes[to] = SUCCESS;
    to = writeVarint(bytes, to + 1, success);
  }
  if (fail !== 0) {
    bytes[to] = FAIL;
    to = writeVarint(bytes, to + 1, fail);
  }
  return to;
}

function putId(bytes: Buffer, at: number, id: Uint8Array): number {
  if (id.length === 0) return at;
  bytes[at] = ID;
  for (let i = 0; i < id.length; i++) bytes[at + 1 + i] = id[i];
  return at + 1 + id.length;
}

function number(tag: number, value: number): Buffer {
  const bytes = Buffer.alloc(1 + varintLength(value));
  bytes[0] = tag;
  writeVarint(bytes, 1, value);
  return bytes;
}

function field(tag: number, content: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(1 + varintLength(content.length) + content.length);
  bytes[0] = tag;
  bytes.set(content, writeVarint(bytes, 1, content.length));
  return bytes;
}
