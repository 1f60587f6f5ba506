/**
 * Reads the one request that is sent more often than all others, in the form in which most clients write it:
 *
 *   {"m":"mesh.publish","p":{"c":"user:1001","d":"Hello,World!"},"i":12345}
 *
 * straight from its bytes, without a detour over text and JSON.parse; the payload's bytes are never decoded. Measured with
 * bench/api-websocket.mjs: a third less CPU per publish. Whatever looks different in any way is left to the general reader.
 */

export interface QuickPublish {
  readonly channel: string;
  readonly data: Uint8Array;
  /** The request's id; null when it has none. */
  readonly id: number | null;
}

const HEAD = Buffer.from('{"m":"mesh.publish","p":{"c":"');
const MIDDLE = Buffer.from('","d":"');
const ID = Buffer.from('"},"i":');
/** Longer messages are bound by their bytes, where JSON.parse is good. */
const MAX_BYTES = 1024;
/** Numbers of up to 15 digits are exact and written without an exponent. */
const MAX_DIGITS = 15;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const CLOSE = 0x7d;
const ZERO = 0x30;

/** 1 for the bytes that stand for themselves in a JSON string: no quote, no backslash, no control character. */
const PLAIN = new Uint8Array(256).fill(1, 0x20);
PLAIN[QUOTE] = 0;
PLAIN[BACKSLASH] = 0;

/** Payloads are copied into memory that many share: an allocation of its own for each would cost more than all the rest. */
const SLAB_BYTES = 64 * 1024;
let slab = new Uint8Array(SLAB_BYTES);
let slabUsed = 0;

/** `bytes` are valid UTF-8. Null when they are not exactly of that form. */
export function readQuickPublish(bytes: Buffer): QuickPublish | null {
  const { length } = bytes;
  if (length > MAX_BYTES || !startsWith(bytes, 0, HEAD)) return null;
  let at = HEAD.length;
  while (at < length && PLAIN[bytes[at]] === 1) at++;
  const channelEnd = at;
  if (!startsWith(bytes, channelEnd, MIDDLE)) return null;
  if (slabUsed + MAX_BYTES > SLAB_BYTES) {
    slab = new Uint8Array(SLAB_BYTES);
    slabUsed = 0;
  }
  let to = slabUsed;
  for (at += MIDDLE.length; at < length && PLAIN[bytes[at]] === 1; at++) slab[to++] = bytes[at];
  const id = idAt(bytes, at);
  if (id === undefined) return null;
  const data = slab.subarray(slabUsed, to);
  slabUsed = to;
  return { channel: bytes.toString('utf8', HEAD.length, channelEnd), data, id };
}

function startsWith(bytes: Buffer, at: number, expected: Buffer): boolean {
  if (at + expected.length > bytes.length) return false;
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  return true;
}

/** What follows the data: `"}}` or `"},"i":123}`. Undefined for anything else. */
function idAt(bytes: Buffer, at: number): number | null | undefined {
  const last = bytes.length - 1;
  if (bytes[at] === QUOTE && bytes[at + 1] === CLOSE && bytes[at + 2] === CLOSE && at + 2 === last) return null;
  const start = at + ID.length;
  if (!startsWith(bytes, at, ID) || bytes[last] !== CLOSE || last - start < 1 || last - start > MAX_DIGITS)
    return undefined;
  // JSON knows no leading zeros.
  if (bytes[start] === ZERO && last - start > 1) return undefined;
  let value = 0;
  for (let i = start; i < last; i++) {
    const digit = bytes[i] - ZERO;
    if (digit < 0 || digit > 9) return undefined;
    value = value * 10 + digit;
  }
  return value;
}
