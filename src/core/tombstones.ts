/**
 * The ends of members: the newest record of each name that is dead or left. While it is kept, no record that it overrides
 * gets in (ROUTING.md rule 11), its address is tried again now and then, and the others are told of it. Bounded in number
 * and age, oldest first out.
 */
import type { MemberRecord } from './frames.js';

interface Tombstone {
  readonly record: MemberRecord;
  readonly since: number;
  /** Only who knew the member passes its end on, so that ends do not circulate for ever. */
  readonly known: boolean;
}

export class Tombstones {
  /** Oldest first. */
  private readonly stones = new Map<string, Tombstone>();

  constructor(
    private readonly keepMs: number,
    private readonly limit: number,
  ) {}

  get size(): number {
    return this.stones.size;
  }

  /** `known`: the member was in this node's table before. */
  add(record: MemberRecord, now: number, known: boolean): void {
    this.stones.delete(record.nodeId);
    this.stones.set(record.nodeId, { record, since: now, known });
    this.sweep(now);
  }

  get(nodeId: string): MemberRecord | undefined {
    return this.stones.get(nodeId)?.record;
  }

  /** The name lives again, under a record that overrides its end. */
  remove(nodeId: string): void {
    this.stones.delete(nodeId);
  }

  /** At most `limit` of those worth telling others, newest first. */
  newest(limit: number): MemberRecord[] {
    return [...this.stones.values()]
      .filter((stone) => stone.known)
      .slice(-limit)
      .reverse()
      .map((stone) => stone.record);
  }

  private sweep(now: number): void {
    for (const [nodeId, stone] of this.stones) {
      if (this.stones.size <= this.limit && now - stone.since <= this.keepMs) return;
      this.stones.delete(nodeId);
    }
  }
}
