/**
 * Lifeguard's local health: how far this node should distrust its own judgement of others. A node that is itself slow (missed
 * acknowledgements, missing nacks, a blocked event loop) probes more slowly and waits longer before it suspects anybody
 * (Dadgar, Phillips, Currey, Lifeguard, 2017, section IV-A). A judge with one number as its state.
 */

/** The worst score; probe intervals and timeouts are stretched by at most this + 1. */
const WORST = 8;

export class LocalHealth {
  private score = 0;

  /** `lateMs`: event-loop delay from which on one's own timeouts prove nothing about others. */
  constructor(private readonly lateMs: number) {}

  /** Factor for probe intervals and timeouts: 1 when healthy. */
  get stretch(): number {
    return this.score + 1;
  }

  /** A probe was answered in time. */
  answered(): void {
    this.add(-1);
  }

  /**
   * A probe was not answered. Helpers that promised to say "not reached" but kept silent accuse this node rather than the
   * target; with nobody to ask, the doubt stays here too.
   */
  unanswered(helpers: number, nacks: number): void {
    this.add(helpers === 0 ? 1 : Math.max(0, helpers - nacks));
  }

  /** A member had to refute what was said about it by or to this node: somebody, perhaps this node, is slow. */
  refuted(): void {
    this.add(1);
  }

  /** The event loop was blocked for so long at worst since the last report. */
  loopDelay(ms: number): void {
    if (ms >= this.lateMs) this.add(ms >= 2 * this.lateMs ? 2 : 1);
  }

  private add(by: number): void {
    this.score = Math.min(WORST, Math.max(0, this.score + by));
  }
}
