/**
 * A view: all members known not to be dead or left, at one moment, with its digest (ROUTING.md "Identity and view") and its
 * ring. Never changes; two views with the same digest have the same members, roles and owners.
 */
import type { MemberRecord } from './frames.js';
import { type Hash, hash128 } from './hash.js';
import { byNodeId, isLive } from './member.js';
import { Ring, type RingShape } from './ring.js';

export class View {
  /** Sorted by nodeId; records as they were when the view was made, so their suspicion may be out of date. */
  readonly members: readonly MemberRecord[];
  readonly digest: string;
  readonly ring: Ring;

  constructor(
    records: Iterable<MemberRecord>,
    readonly shape: RingShape,
    genInDigest = true,
  ) {
    this.members = [...records].filter(isLive).sort(byNodeId);
    this.digest = digestOf(this.members, shape, genInDigest);
    this.ring = new Ring(
      this.members.filter((member) => member.role === 'full').map((member) => member.nodeId),
      shape,
    );
  }
}

/**
 * 16 hexadecimal digits: the sum of the members' hashes, so that the order does not matter and one change costs one hash.
 * Suspicion is not in it.
 */
function digestOf(members: readonly MemberRecord[], shape: RingShape, genInDigest: boolean): string {
  let { a, b } = hash128(`ring ${shape.replicateAllUpTo} ${shape.replicas}`);
  for (const member of members) {
    const hash = genInDigest ? memberHash(member) : hash128(`${member.boot} ${member.role} ${member.nodeId}`);
    a = (a + hash.a) >>> 0;
    b = (b + hash.b) >>> 0;
  }
  return hex(a) + hex(b);
}

const hashes = new WeakMap<MemberRecord, Hash>();

function memberHash(member: MemberRecord): Hash {
  let hash = hashes.get(member);
  if (hash === undefined) {
    hash = hash128(`${member.boot} ${member.gen} ${member.role} ${member.nodeId}`);
    hashes.set(member, hash);
  }
  return hash;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, '0');
}
