/** Rate limits: token buckets that hold one second's worth, for one connection and for each user (or address, without users). */
import { MeshError } from '../errors.js';

const MAX_KEYS = 10_000;

export class TokenBucket {
  private tokens: number;
  private at: number;

  /** `now` in milliseconds, like all times here. */
  constructor(
    private readonly perSecond: number,
    now: number,
  ) {
    this.tokens = perSecond;
    this.at = now;
  }

  /** Takes one token. 0 when there was one, else the seconds until there will be. */
  take(now: number): number {
    this.tokens = Math.min(this.perSecond, this.tokens + ((now - this.at) / 1000) * this.perSecond);
    this.at = now;
    if (this.tokens >= 1) {
      this.tokens--;
      return 0;
    }
    return (1 - this.tokens) / this.perSecond;
  }

  isFull(now: number): boolean {
    return this.tokens + ((now - this.at) / 1000) * this.perSecond >= this.perSecond;
  }
}

/** One bucket per key; idle keys are forgotten. */
export class RateLimit {
  private readonly buckets = new Map<string, TokenBucket>();
  private sweptAt = Number.NEGATIVE_INFINITY;

  /** `perSecond` 0 is no limit. */
  constructor(
    readonly perSecond: number,
    private readonly now: () => number,
  ) {}

  /** Keys that are remembered. */
  get size(): number {
    return this.buckets.size;
  }

  /** Null when the call may go on. */
  refusal(key: string): MeshError | null {
    if (this.perSecond === 0) return null;
    const now = this.now();
    let bucket = this.buckets.get(key);
    if (bucket === undefined) {
      if (this.buckets.size >= MAX_KEYS) this.forget(now);
      bucket = new TokenBucket(this.perSecond, now);
      this.buckets.set(key, bucket);
    }
    return tooFast(bucket.take(now), `${this.perSecond} calls per second (api.requestsPerSecond)`);
  }

  /** A full bucket is the same as none. If none is full, the oldest goes: the map stays bounded. */
  private forget(now: number): void {
    if (now - this.sweptAt >= 1000) {
      this.sweptAt = now;
      for (const [key, bucket] of this.buckets) if (bucket.isFull(now)) this.buckets.delete(key);
    }
    if (this.buckets.size < MAX_KEYS) return;
    for (const oldest of this.buckets.keys()) {
      this.buckets.delete(oldest);
      break;
    }
  }
}

/** The error of a bucket's answer; `limit` names what was exceeded. */
export function tooFast(waitSeconds: number, limit: string): MeshError | null {
  return waitSeconds === 0 ? null : new MeshError('overloaded', `more than ${limit}`, waitSeconds);
}
