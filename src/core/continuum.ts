/**
 * The points of a hash ring, all members' together and sorted. hashring makes each member's points; what it would do with them
 * for every view, sorting 300,000 of 500 members (170 ms, and more to clean up after), is done here by merging: a view that
 * differs by few members costs one pass over the ring before it.
 */
import HashRing from 'hashring';
import { hash128 } from './hash.js';

interface Points {
  /** Ascending. */
  readonly values: Uint32Array;
  /** For each of them, whose it is: an index into the ids. */
  readonly members: Uint32Array;
}

export interface Continuum extends Points {
  /** Sorted. */
  readonly ids: readonly string[];
}

/** Virtual nodes per member, four points each. Given explicitly: hashring's own count loses some by rounding at 7, 14, 28 … members. */
const VNODES = 150;

/** Points per member, and the last continua: both depend on the names alone, so the nodes of one process can share them. */
const pointsOf = new Map<string, Uint32Array>();
const MAX_POINT_LISTS = 4096;
const last: Continuum[] = [];
const MAX_CONTINUA = 4;

/** `ids` sorted. */
export function continuumOf(ids: readonly string[]): Continuum {
  const known = last.find((one) => sameList(one.ids, ids));
  if (known) return known;
  const continuum = { ids, ...(fromLast(ids) ?? mergeAll(ids.map(memberPoints))) };
  last.unshift(continuum);
  last.length = Math.min(last.length, MAX_CONTINUA);
  return continuum;
}

/** The points of `ids` made from the last ring; null when they have too little in common. */
function fromLast(ids: readonly string[]): Points | null {
  if (last.length === 0) return null;
  const [before] = last;
  const place = new Map(ids.map((id, i) => [id, i]));
  const old = new Set(before.ids);
  const added = ids.flatMap((id, i) => (old.has(id) ? [] : [memberPoints(id, i)]));
  if (2 * added.length > ids.length) return null;
  const kept = renumber(
    before,
    Int32Array.from(before.ids, (id) => place.get(id) ?? -1),
  );
  return added.length === 0 ? kept : merge(kept, mergeAll(added));
}

/** The same points under the members' new places; those of members without a place are left out. */
function renumber({ values, members }: Points, places: Int32Array): Points {
  const kept = { values: new Uint32Array(values.length), members: new Uint32Array(values.length) };
  let length = 0;
  for (let i = 0; i < values.length; i++) {
    const place = places[members[i]];
    if (place < 0) continue;
    kept.values[length] = values[i];
    kept.members[length++] = place;
  }
  return { values: kept.values.subarray(0, length), members: kept.members.subarray(0, length) };
}

/** Merges pairwise. */
function mergeAll(lists: readonly Points[]): Points {
  if (lists.length <= 1) return lists[0] ?? { values: new Uint32Array(0), members: new Uint32Array(0) };
  const half = lists.length >> 1;
  return merge(mergeAll(lists.slice(0, half)), mergeAll(lists.slice(half)));
}

/** Of equal points the one of the lower name comes first, as in hashring's stable sort of sorted names. */
function merge(a: Points, b: Points): Points {
  const length = a.values.length + b.values.length;
  const merged = { values: new Uint32Array(length), members: new Uint32Array(length) };
  let i = 0;
  let j = 0;
  for (let k = 0; k < length; k++) {
    const first = j >= b.values.length || (i < a.values.length && isBefore(a, i, b, j));
    const from = first ? a : b;
    const at = first ? i++ : j++;
    merged.values[k] = from.values[at];
    merged.members[k] = from.members[at];
  }
  return merged;
}

function isBefore(a: Points, i: number, b: Points, j: number): boolean {
  return a.values[i] < b.values[j] || (a.values[i] === b.values[j] && a.members[i] < b.members[j]);
}

function memberPoints(id: string, place: number): Points {
  let values = pointsOf.get(id);
  if (values === undefined) {
    // hashring files servers in a plain object, where a name such as "__proto__" would be lost: hence the slash.
    const name = `/${id}`;
    const alone = new HashRing({ [name]: { vnodes: VNODES } }, ringHash, { 'max cache size': 1 });
    const points = alone.points([name] as unknown as HashRing.Servers) as unknown as Record<string, number[]>;
    values = Uint32Array.from(points[name]);
    if (pointsOf.size >= MAX_POINT_LISTS) pointsOf.clear();
    pointsOf.set(id, values);
  }
  return { values, members: new Uint32Array(values.length).fill(place) };
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a === b || (a.length === b.length && a.every((id, i) => id === b[i]));
}

const ringBytes = new Uint8Array(16);
const ringWords = new DataView(ringBytes.buffer);

/** The 16 bytes that hashring takes four points from; it reads them at once, so one buffer does for all. */
function ringHash(text: string): Buffer {
  const { a, b, c, d } = hash128(text);
  ringWords.setUint32(0, a, true);
  ringWords.setUint32(4, b, true);
  ringWords.setUint32(8, c, true);
  ringWords.setUint32(12, d, true);
  return ringBytes as Buffer;
}
