/**
 * Which members own a channel's interest (ROUTING.md "The ring"): all of them in a small mesh, else the first `replicas`
 * distinct successors of the channel on a consistent hash ring. A Ring never changes; a new view makes a new one.
 */
import HashRing from 'hashring';
import { hash128 } from './hash.js';

/** The same on all nodes: it is part of the view's digest. */
export interface RingShape {
  /** Up to so many members, each owns every channel. */
  readonly replicateAllUpTo: number;
  /** Owners of a channel in a larger mesh. */
  readonly replicas: number;
}

/** Virtual nodes per member, four points each. Given explicitly: hashring's own count loses some by rounding at 7, 14, 28 … members. */
const VNODES = 150;
/** Channels whose owners a ring remembers; beyond it, it starts to remember anew. */
const MAX_CACHED = 100_000;

interface Point {
  readonly value: number;
  readonly server: string;
}
/** hashring's fields that its types leave out: the points, sorted by value, and their number. */
interface Continuum extends HashRing {
  ring: readonly Point[];
  size: number;
}

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
      owners = this.continuum.range(channel, this.shape.replicas);
      if (this.cache.size >= MAX_CACHED) this.cache.clear();
      this.cache.set(channel, owners);
    }
    return owners;
  }
}

/** Sorted points per member, and the last continua: both depend on the names alone, so nodes of one process can share them. */
const pointsOf = new Map<string, readonly Point[]>();
const MAX_POINT_LISTS = 4096;
const lastContinua: { readonly ids: readonly string[]; readonly continuum: Continuum }[] = [];
const MAX_CONTINUA = 4;

/**
 * The ring that `new HashRing` would build of all ids, without its sorting of all points (300,000 for 500 members: 170 ms).
 * Each member's points are made and sorted once, by hashring; a view that differs by few members costs one pass over the
 * ring before it (500 members: 5 ms), a wholly new one a merge sort (60 ms).
 */
function continuumOf(ids: readonly string[]): Continuum {
  const known = lastContinua.find((last) => sameList(last.ids, ids));
  if (known) return known.continuum;
  const continuum = new HashRing([], ringHash, { 'max cache size': 1 }) as Continuum;
  continuum.ring = fromLast(ids) ?? mergeAll(ids.map(memberPoints));
  continuum.size = continuum.ring.length;
  lastContinua.unshift({ ids, continuum });
  lastContinua.length = Math.min(lastContinua.length, MAX_CONTINUA);
  return continuum;
}

/** The points of `ids` from the last ring; null when they have too little in common. */
function fromLast(ids: readonly string[]): readonly Point[] | null {
  const [last] = lastContinua;
  if (last === undefined) return null;
  const old = new Set(last.ids);
  const now = new Set(ids);
  const added = ids.filter((id) => !old.has(id));
  if (2 * added.length > ids.length) return null;
  const kept = last.ids.every((id) => now.has(id))
    ? last.continuum.ring
    : last.continuum.ring.filter(({ server }) => now.has(server));
  return added.length === 0 ? kept : merge(kept, mergeAll(added.map(memberPoints)));
}

function memberPoints(id: string): readonly Point[] {
  let points = pointsOf.get(id);
  if (points === undefined) {
    // hashring files servers in a plain object, where a name such as "__proto__" would be lost: hence the slash.
    const alone = new HashRing({ [`/${id}`]: { vnodes: VNODES } }, ringHash, { 'max cache size': 1 }) as Continuum;
    points = alone.ring.map(({ value }) => ({ value, server: id }));
    if (pointsOf.size >= MAX_POINT_LISTS) pointsOf.clear();
    pointsOf.set(id, points);
  }
  return points;
}

/** Merges sorted lists pairwise. */
function mergeAll(lists: readonly (readonly Point[])[]): readonly Point[] {
  if (lists.length <= 1) return lists[0] ?? [];
  const half = lists.length >> 1;
  return merge(mergeAll(lists.slice(0, half)), mergeAll(lists.slice(half)));
}

function merge(a: readonly Point[], b: readonly Point[]): readonly Point[] {
  const merged = new Array<Point>(a.length + b.length);
  let i = 0;
  let j = 0;
  for (let k = 0; k < merged.length; k++) {
    merged[k] = j >= b.length || (i < a.length && before(a[i], b[j])) ? a[i++] : b[j++];
  }
  return merged;
}

/** Of equal points the one of the lower name comes first, as in hashring's stable sort of sorted names. */
function before(a: Point, b: Point): boolean {
  return a.value < b.value || (a.value === b.value && a.server < b.server);
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((id, i) => id === b[i]));
}

const ringBytes = new Uint8Array(16);
const ringWords = new DataView(ringBytes.buffer);

/** The 16 bytes that hashring takes its four points from; it reads them at once, so one buffer does for all. */
function ringHash(text: string): Buffer {
  const { a, b, c, d } = hash128(text);
  ringWords.setUint32(0, a, true);
  ringWords.setUint32(4, b, true);
  ringWords.setUint32(8, c, true);
  ringWords.setUint32(12, d, true);
  return ringBytes as Buffer;
}
