/**
 * Channel names as they come from one peer. The same few thousand names come again and again, so each is decoded and checked
 * once and then found by its bytes: no text decoding per message, and the same string object each time, whose hash the
 * engine has already computed for the maps that it is looked up in.
 */
import { channelProblem } from '../core/channel.js';
import { MalformedBatch } from './bytes.js';

/** Power of two. 4096 names of 255 bytes at most are 1 MB. */
const SLOTS = 4096;

interface Name {
  readonly bytes: Uint8Array;
  readonly text: string;
}

export class Names {
  readonly #slots: (Name | undefined)[] = new Array(SLOTS);

  /** The channel in `bytes` from `start` to `end`. Throws MalformedBatch for what cannot be a channel. */
  read(bytes: Buffer, start: number, end: number): string {
    let hash = 0x811c9dc5;
    for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], 0x01000193);
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const known = this.#slots[slot];
    if (known !== undefined && same(known.bytes, bytes, start, end)) return known.text;
    const text = bytes.toString('utf8', start, end);
    const problem = channelProblem(text);
    if (problem !== null) throw new MalformedBatch(problem);
    this.#slots[slot] = { bytes: Uint8Array.prototype.slice.call(bytes, start, end), text };
    return text;
  }
}

function same(known: Uint8Array, bytes: Uint8Array, start: number, end: number): boolean {
  const length = end - start;
  if (known.length !== length) return false;
  for (let i = 0; i < length; i++) if (known[i] !== bytes[start + i]) return false;
  return true;
}
