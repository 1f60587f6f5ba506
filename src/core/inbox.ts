/** What came from one peer over the data lane: the numbering of its publishes, and the counts that it waits for (rules 13, 16). */
import type { DeliveredFrame } from './frames.js';

export class Inbox {
  /** Numbering that the peer uses, 0 before the first session, and the last number that arrived. */
  epoch = 0;
  last = 0;
  /** Counts of the frames up to `last` that were not sent back yet: triples (frames, success, fail). */
  private counts: number[] = [];
  private countsFrom = 0;

  /** Nobody waits for these counts any more; sent in the next session, they would be taken for those of its first frames. */
  sessionLost(): void {
    this.counts = [];
  }

  /** The peer says where its numbers go on. */
  numbering(epoch: number, first: number): 'resumed' | 'hole' | 'new' {
    const before = this.epoch;
    const last = this.last;
    this.epoch = epoch;
    if (before === epoch && first <= last + 1) return 'resumed';
    this.last = first - 1;
    return before === epoch ? 'hole' : 'new';
  }

  /** Whether the frame with that number is the next one; false for one that was seen before, or that jumps. */
  accepts(seq: number): boolean {
    if (seq !== this.last + 1) return false;
    this.last = seq;
    return true;
  }

  /** Notes the counts of the frame that was accepted last. */
  count(success: number, fail: number): void {
    const counts = this.counts;
    const at = counts.length - 3;
    if (at >= 0 && counts[at + 1] === success && counts[at + 2] === fail) {
      counts[at]++;
      return;
    }
    if (at < 0) this.countsFrom = this.last;
    counts.push(1, success, fail);
  }

  /** The counts to send back now; null when there are none. */
  takeCounts(): DeliveredFrame | null {
    if (this.counts.length === 0) return null;
    const frame = { kind: 'delivered', seq: this.countsFrom, counts: this.counts } as const;
    this.counts = [];
    return frame;
  }
}
