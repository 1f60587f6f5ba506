/** A clock that stands still until it is told to run, for tests of one or a few state machines of the core. */
import type { Cancel, Clock } from '../../src/core/ports.js';

interface Timer {
  readonly at: number;
  readonly order: number;
  fn: (() => void) | null;
}

export class VirtualClock implements Clock {
  private time = 0;
  private order = 0;
  /** A binary heap: no timer is earlier than its parent. */
  private readonly heap: Timer[] = [];
  private ends: (() => void)[] = [];

  now(): number {
    return this.time;
  }

  after(ms: number, fn: () => void): Cancel {
    const timer: Timer = { at: this.time + Math.max(0, ms), order: this.order++, fn };
    let i = this.heap.push(timer) - 1;
    for (let up = (i - 1) >> 1; i > 0 && earlier(timer, this.heap[up]); i = up, up = (i - 1) >> 1) {
      this.heap[i] = this.heap[up];
    }
    this.heap[i] = timer;
    return () => {
      timer.fn = null;
    };
  }

  endOfTurn(fn: () => void): void {
    this.ends.push(fn);
  }

  /** Timers that wait. */
  get pending(): number {
    return this.heap.filter((timer) => timer.fn !== null).length;
  }

  /** Ends the present turn. */
  endTurn(): void {
    while (this.ends.length > 0) {
      const ends = this.ends;
      this.ends = [];
      for (const fn of ends) fn();
    }
  }

  /** Lets time pass: every timer runs at its time, each in a turn of its own. */
  advance(ms: number): void {
    const until = this.time + ms;
    this.endTurn();
    while (this.heap.length > 0 && this.heap[0].at <= until) {
      const { at, fn } = this.pop();
      this.time = Math.max(this.time, at);
      fn?.();
      this.endTurn();
    }
    this.time = until;
  }

  /** Stands still for so long, as a stopped process does: what was due runs late, all at once. */
  stall(ms: number): void {
    this.time += ms;
    this.advance(0);
  }

  private pop(): Timer {
    const first = this.heap[0];
    const last = this.heap.pop() as Timer;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= this.heap.length) break;
      if (child + 1 < this.heap.length && earlier(this.heap[child + 1], this.heap[child])) child += 1;
      if (!earlier(this.heap[child], last)) break;
      this.heap[i] = this.heap[child];
      i = child;
    }
    if (this.heap.length > 0) this.heap[i] = last;
    return first;
  }
}

function earlier(a: Timer, b: Timer): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
