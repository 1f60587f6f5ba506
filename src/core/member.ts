/**
 * One member's record: who it is, and which of two records about the same name is the newer truth. The whole precedence of
 * alive, suspect, dead, left, incarnation and generation is the one function `precedence`; membership.ts applies it.
 */
import type { Identity, MemberRecord } from './frames.js';

/**
 * Positive when `a` overrides `b`, negative when `b` overrides `a`, 0 when they say the same. A total order of the records
 * of one nodeId, so that any order of gossip ends in the same table (SWIM section 4.2, with `gen` above it):
 *
 *  1. The higher generation. Only the node itself raises its own: to refute its death, or to outrank an earlier process of
 *     its name. So a death is final for (nodeId, boot, gen), and a restarted node replaces what it was.
 *  2. Of two processes of one name and generation, the higher boot: arbitrary, but the same choice everywhere. The one
 *     that is outranked learns of it and raises its generation.
 *  3. left over dead over living: the end of an identity is not undone, and who said goodbye did not die.
 *  4. Living: the higher incarnation; at the same incarnation leaving over full and suspect over alive, since only the
 *     member itself takes either back, with a higher incarnation.
 */
export function precedence(a: MemberRecord, b: MemberRecord): number {
  if (a.gen !== b.gen) return a.gen - b.gen;
  if (a.boot !== b.boot) return a.boot - b.boot;
  const end = endRank(a) - endRank(b);
  if (end !== 0) return end;
  if (!isLive(a)) return 0;
  if (a.incarnation !== b.incarnation) return a.incarnation - b.incarnation;
  if (a.role !== b.role) return a.role === 'leaving' ? 1 : -1;
  if (a.state !== b.state) return a.state === 'suspect' ? 1 : -1;
  return 0;
}

/** Neither dead nor left: it belongs to the view. */
export function isLive(member: MemberRecord): boolean {
  return member.state === 'alive' || member.state === 'suspect';
}

export function sameIdentity(a: Identity, b: Identity): boolean {
  return a.nodeId === b.nodeId && a.boot === b.boot && a.gen === b.gen;
}

/** Order of code units, the same on every machine. */
export function byNodeId(a: { readonly nodeId: string }, b: { readonly nodeId: string }): number {
  return a.nodeId < b.nodeId ? -1 : a.nodeId > b.nodeId ? 1 : 0;
}

function endRank({ state }: MemberRecord): number {
  return state === 'left' ? 2 : state === 'dead' ? 1 : 0;
}
