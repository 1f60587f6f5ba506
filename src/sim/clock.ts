/** The clock of one process: it starts anywhere, and runs a little fast or slow. */
import type { Cancel, Clock } from '../core/ports.js';
import type { Host, VirtualTime } from './time.js';

export class SkewedClock implements Clock {
  private turn: (() => void)[] = [];

  constructor(
    private readonly time: VirtualTime,
    private readonly host: Host,
    /** Milliseconds of this clock per true millisecond. */
    private readonly rate: number,
    private readonly zero: number,
  ) {}

  now(): number {
    return this.zero + this.time.now * this.rate;
  }

  after(ms: number, fn: () => void): Cancel {
    const event = this.time.at(this.time.now + ms / this.rate, this.host, fn, true);
    return () => {
      event.fn = null;
    };
  }

  endOfTurn(fn: () => void): void {
    this.turn.push(fn);
  }

  /** Something is left for the end of the turn. */
  get open(): boolean {
    return this.turn.length > 0;
  }

  /** Runs what was left for the end of the turn; what that leaves in its turn is for the next one. */
  endTurn(): void {
    const due = this.turn;
    this.turn = [];
    for (const fn of due) fn();
  }
}
