/**
 * A fast 128-bit hash of text for the ring's points and the view's digest. Same text, same hash, on every node of every
 * version: changing it is a change of protocol. Not cryptographic; what it hashes comes from authenticated peers.
 */

export interface Hash {
  readonly a: number;
  readonly b: number;
  readonly c: number;
  readonly d: number;
}

/** Four unsigned 32-bit lanes. Each UTF-16 unit goes through every lane, the end mixes the lanes into each other. */
export function hash128(text: string): Hash {
  let a = 0x243f6a88;
  let b = 0x85a308d3;
  let c = 0x13198a2e;
  let d = 0x03707344;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    a = rotate(Math.imul(a ^ unit, 0x9e3779b1), 13);
    b = (rotate(Math.imul(b ^ unit, 0x85ebca77), 15) + a) | 0;
    c = (Math.imul(c ^ unit, 0xc2b2ae3d) + b) | 0;
    d = rotate(Math.imul(d ^ unit, 0x27d4eb2f), 17) ^ c;
  }
  a = avalanche(a ^ d ^ text.length);
  b = avalanche(b ^ a);
  c = avalanche(c ^ b);
  d = avalanche(d ^ c);
  return { a: avalanche(a ^ d) >>> 0, b: b >>> 0, c: c >>> 0, d: d >>> 0 };
}

function rotate(x: number, by: number): number {
  return (x << by) | (x >>> (32 - by));
}

/** Every bit of the input changes every bit of the output with a probability near one half (MurmurHash3's finalizer). */
function avalanche(x: number): number {
  let y = x ^ (x >>> 16);
  y = Math.imul(y, 0x85ebca6b);
  y ^= y >>> 13;
  y = Math.imul(y, 0xc2b2ae35);
  return y ^ (y >>> 16);
}
