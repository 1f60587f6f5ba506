/**
 * How long one member stays suspected before it is declared dead. Starts long and shortens with each independent accuser
 * (Lifeguard, section IV-B): alone, a node doubts itself; confirmed by others, it does not. A judge: pass the time, get the
 * moment. membership.ts keeps one per suspected member and sets the timer.
 */
import type { Timings } from './profiles.js';

export class Suspicion {
  private readonly accusers = new Set<string>();
  private readonly shortestMs: number;
  private readonly longestMs: number;
  /** Accusers beyond the first that bring the time down to the shortest. */
  private readonly enough: number;
  private refusedUntil = Number.POSITIVE_INFINITY;

  constructor(
    timings: Timings,
    members: number,
    accuser: string,
    private readonly since: number,
  ) {
    const scale = Math.max(1, Math.log10(Math.max(1, members)));
    this.shortestMs = timings.suspicionMultiplier * scale * timings.probeIntervalMs;
    this.longestMs = this.shortestMs * timings.suspicionMaxFactor;
    // Neither the suspect nor the first accuser can confirm, so a small mesh asks for fewer.
    this.enough = Math.max(0, Math.min(timings.suspicionMultiplier - 2, members - 2));
    this.accusers.add(accuser);
  }

  /** True when this accuser is new and still counts, so that it is worth telling others. */
  confirm(accuser: string): boolean {
    if (accuser === '' || this.accusers.has(accuser) || this.accusers.size > this.enough) return false;
    this.accusers.add(accuser);
    return true;
  }

  /** The suspect's host refused a connection: nobody listens there. Dead at `deadline` unless somebody still reaches it. */
  refused(deadline: number): void {
    this.refusedUntil = Math.min(this.refusedUntil, deadline);
  }

  /** Somebody reached it after all: back to the ordinary time. */
  reached(): void {
    this.refusedUntil = Number.POSITIVE_INFINITY;
  }

  /** The moment at which the suspect is dead. */
  deadline(): number {
    const confirmations = this.accusers.size - 1;
    const done = this.enough === 0 ? 1 : Math.log(confirmations + 1) / Math.log(this.enough + 1);
    const ordinary = this.since + Math.max(this.shortestMs, this.longestMs - (this.longestMs - this.shortestMs) * done);
    return Math.min(ordinary, this.refusedUntil);
  }
}
