/**
 * A view: all members known not to be dead or left, at one moment, with its digest (ROUTING.md "Identity and view") and its
 * ring. Never changes; two views with the same digest have the same members, roles and owners.
 */
import type { MemberRecord } from './frames.js';
import { type Hash, hash128 } from './hash.js';
import { byNodeId, isLive, sameIdentity } from './member.js';
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

/** From one view to the next. This node itself is in `before` and `view`, but never in the lists. */
export interface ViewChange {
  readonly before: View;
  readonly view: View;
  /** Identities that were not in the view before. */
  readonly joined: readonly MemberRecord[];
  /** Names among `joined` whose process was held for dead and is not: it was ready all along, and may have subscribers. */
  readonly returned: ReadonlySet<string>;
  /** Identities that are no longer in it, as they were; `replaced`: another process or generation took the name. */
  readonly gone: readonly { readonly member: MemberRecord; readonly how: 'dead' | 'left' | 'replaced' }[];
  /** This node's own generation or role changed. */
  readonly selfChanged: boolean;
}

/** Null when both are the same. `newest`: the newest record of a name, dead or left ones included. */
export function compareViews(
  before: View,
  view: View,
  selfId: string,
  newest: (nodeId: string) => MemberRecord | undefined,
  returned: ReadonlySet<string>,
): ViewChange | null {
  const old = new Map(before.members.map((record) => [record.nodeId, record]));
  const joined: MemberRecord[] = [];
  const gone: ViewChange['gone'][number][] = [];
  let selfChanged = false;
  for (const record of view.members) {
    const earlier = old.get(record.nodeId);
    old.delete(record.nodeId);
    if (record.nodeId === selfId) selfChanged = earlier?.gen !== record.gen || earlier?.role !== record.role;
    else if (earlier === undefined) joined.push(record);
    else if (!sameIdentity(earlier, record)) {
      gone.push({ member: earlier, how: 'replaced' });
      joined.push(record);
    }
  }
  for (const [nodeId, record] of old) gone.push({ member: record, how: howGone(record, newest(nodeId)) });
  const same = before.digest === view.digest && !selfChanged && joined.length === 0 && gone.length === 0;
  return same ? null : { before, view, joined, returned, gone, selfChanged };
}

function howGone(record: MemberRecord, now: MemberRecord | undefined): 'dead' | 'left' | 'replaced' {
  if (now === undefined || !sameIdentity(record, now)) return 'replaced';
  return now.state === 'left' ? 'left' : 'dead';
}
