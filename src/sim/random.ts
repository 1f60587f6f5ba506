/** Seeded chance: everything random in a simulation comes from here, so that a seed is the whole run. */
import type { Random } from '../core/ports.js';

/** sfc32 (Chris Doty-Humphrey's small fast counting generator, PractRand), 128 bits of state. */
export class SeededRandom implements Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  /** Streams of one seed with different names are independent: one more draw in one changes nothing in another. */
  constructor(seed: number, stream = '') {
    this.a = seed >>> 0;
    this.b = Math.floor(seed / 2 ** 32) >>> 0;
    this.c = 0x9e3779b9;
    for (let i = 0; i < stream.length; i++) this.c = Math.imul(this.c ^ stream.charCodeAt(i), 0x01000193) >>> 0;
    for (let i = 0; i < 15; i++) this.uint32();
  }

  uint32(): number {
    const sum = (this.a + this.b + this.counter++) >>> 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + sum) >>> 0;
    return sum;
  }

  fraction(): number {
    return this.uint32() / 2 ** 32;
  }

  /** Uniform integer in [0, n). */
  below(n: number): number {
    return Math.floor(this.fraction() * n);
  }

  /** Uniform integer in [low, high]. */
  whole(low: number, high: number): number {
    return low + this.below(high - low + 1);
  }

  /** Uniform number in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.fraction();
  }

  /** Between `low` and `high`, small values as likely as large ones in proportion. */
  scaled(low: number, high: number): number {
    return low * (high / low) ** this.fraction();
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  /** Exponentially distributed with that mean: the time to the next of independent events. */
  exponential(mean: number): number {
    return -mean * Math.log(1 - this.fraction());
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)];
  }

  shuffle<T>(items: T[]): T[] {
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1);
      [items[i], items[j]] = [items[j], items[i]];
    }
    return items;
  }
}
