/**
 * Writes the answer to a publish as bytes, `{"E":null,"r":{"s":3,"f":0},"i":12345}`, into memory that is used again. uWebSockets.js
 * takes bytes three times faster than a string (50 and 150 ns), and the counts are mostly those of the answer before.
 */

/** Room for the longest answer: two counts and an id of 16 digits each. */
const scratch = new Uint8Array(96);
const PREFIX = '{"E":null,"r":{"s":';
const ZERO = 0x30;

let written = { success: -1, fail: -1, end: 0 };

/** The answer's bytes, to be used before the next call. All three are integers from 0 to 2^53-1. */
export function countsAnswer(success: number, fail: number, id: number): Uint8Array {
  if (success !== written.success || fail !== written.fail) {
    written = { success, fail, end: putText(0, `${PREFIX}${success},"f":${fail}},"i":`) };
  }
  const end = putDigits(written.end, id);
  scratch[end] = 0x7d;
  return scratch.subarray(0, end + 1);
}

function putText(at: number, ascii: string): number {
  for (let i = 0; i < ascii.length; i++) scratch[at + i] = ascii.charCodeAt(i);
  return at + ascii.length;
}

function putDigits(at: number, value: number): number {
  let end = at + 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) end++;
  let rest = value;
  for (let to = end - 1; to >= at; to--) {
    const next = Math.floor(rest / 10);
    scratch[to] = ZERO + (rest - next * 10);
    rest = next;
  }
  return end;
}
