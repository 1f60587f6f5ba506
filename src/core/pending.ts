/** A publish that waits for its counts: summed from the acknowledgements of the nodes it was sent to (rule 13). */
import type { PublishResult } from './message.js';

const COMPLETE: readonly string[] = [];

export class Pending {
  private waiting = 1;
  private success = 0;
  private fail = 0;
  private unconfirmed: string[] | null = null;

  /** Opens with one share for the publishing node itself; `settle` or `unconfirm` once per share. */
  constructor(private readonly done: (result: PublishResult) => void) {}

  /** One more node was sent to. */
  expect(): void {
    this.waiting++;
  }

  /** A share came back with its counts. */
  settle(success: number, fail: number): void {
    this.success += success;
    this.fail += fail;
    if (--this.waiting === 0) this.finish();
  }

  /** A node's share will not come; `lastCount` is how many subscribers it had when it last said (rule 13: at least 1). */
  unconfirm(nodeId: string, lastCount: number): void {
    this.fail += Math.max(1, lastCount);
    this.unconfirmed ??= [];
    this.unconfirmed.push(nodeId);
    if (--this.waiting === 0) this.finish();
  }

  private finish(): void {
    this.done({ success: this.success, fail: this.fail, unconfirmed: this.unconfirmed ?? COMPLETE });
  }
}
