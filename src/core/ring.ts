/**
 * Which members own a channel's interest (ROUTING.md "The ring"): all of them in a small mesh, else the first `replicas`
 * distinct successors of the channel on a consistent hash ring. A Ring never changes; a new view makes a new one.
 */

import { type Continuum, continuumOf } from './continuum.js';
import { hash128 } from './hash.js';

/** The same on all nodes: it is part of the view's digest. */
export interface RingShape {
  /** Up to so many members, each owns every channel. */
  readonly replicateAllUpTo: number;
  /** Owners of a channel in a larger mesh. */
  readonly replicas: number;
}

/** Channels whose owners a ring remembers; beyond it, it starts to remember anew. */
const MAX_CACHED = 100_000;

export class Ring {
  private continuum: Continuum | null = null;
  private readonly cache = new Map<string, readonly string[]>();
  private readonly all: boolean;

  /** `ids` sorted; only members that may own (not leaving ones). */
  constructor(
    private readonly ids: readonly string[],
    private readonly shape: RingShape,
  ) {
    this.all = ids.length <= Math.max(shape.replicateAllUpTo, shape.replicas);
  }

  /** Owners in the order in which they should be asked; the same array while every member owns everything. */
  owners(channel: string): readonly string[] {
    if (this.all) return this.ids;
    let owners = this.cache.get(channel);
    if (owners === undefined) {
      this.continuum ??= continuumOf(this.ids);
      owners = successors(this.continuum, hash128(channel).a, this.shape.replicas);
      if (this.cache.size >= MAX_CACHED) this.cache.clear();
      this.cache.set(channel, owners);
    }
    return owners;
  }
}

/** The first `count` distinct members from `value` on, around the ring: hashring's `range`. */
function successors({ ids, values, members }: Continuum, value: number, count: number): string[] {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  const found: string[] = [];
  for (let i = 0; i < values.length && found.length < count; i++) {
    const id = ids[members[(low + i) % values.length]];
    if (!found.includes(id)) found.push(id);
  }
  return found;
}
