/**
 * Virtual time: a heap of events that jumps from one to the next, and the turns of the processes that live in it. A process
 * that is stalled (SIGSTOP, a long pause) gets nothing until it goes on, then everything in order; a dead one gets nothing.
 */

/** A process as the time sees it. */
export interface Host {
  alive: boolean;
  /** Gets no events before that moment, ms. */
  stalledUntil: number;
  /** Everything of this event was done: batches leave. */
  endTurn(): void;
}

/** Something that will happen. `fn` is null once it was cancelled. */
export interface Event {
  at: number;
  /** When it should have happened; earlier than `at` where a stall put it off. */
  readonly due: number;
  readonly order: number;
  readonly host: Host | null;
  /** A timer of that host; else something that comes from outside. */
  readonly timer: boolean;
  fn: (() => void) | null;
}

export class VirtualTime {
  /** Milliseconds since the beginning. */
  now = 0;
  /** Events that happened. */
  steps = 0;
  /** Called after each turn of a process. */
  afterTurn: (host: Host) => void = () => {};
  private readonly heap: Event[] = [];
  private scheduled = 0;

  constructor(
    /** A process that goes on after a stall runs its due timers before it reads what had arrived in the meantime. */
    private readonly timersFirst = false,
  ) {}

  /** At `time`, in the order of calls where times are equal. `host` null: an event of the world. */
  at(time: number, host: Host | null, fn: () => void, timer = false): Event {
    const at = Math.max(time, this.now);
    const event: Event = { at, due: at, order: this.scheduled++, host, timer, fn };
    this.push(event);
    return event;
  }

  /** Happens at once, as a turn of that process; for what the world does to it. */
  turn(host: Host, fn: () => void): void {
    if (!host.alive) return;
    fn();
    if (!host.alive) return;
    host.endTurn();
    this.afterTurn(host);
  }

  /** Lets the next event happen if it is due by `limit`; else moves to `limit` and returns false. */
  step(limit: number): boolean {
    const heap = this.heap;
    while (heap.length > 0 && heap[0].at <= limit) {
      const event = this.pop();
      const { host, fn } = event;
      if (fn === null || (host !== null && !host.alive)) continue;
      if (host !== null && host.stalledUntil > event.at) {
        event.at = host.stalledUntil;
        this.push(event);
        continue;
      }
      this.now = event.at;
      this.steps++;
      event.fn = null;
      if (host === null) fn();
      else this.turn(host, fn);
      return true;
    }
    if (limit > this.now) this.now = limit;
    return false;
  }

  private push(event: Event): void {
    const heap = this.heap;
    let i = heap.length;
    heap.push(event);
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent];
      if (!this.earlier(event, above)) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = event;
  }

  private pop(): Event {
    const heap = this.heap;
    const first = heap[0];
    const last = heap.pop()!;
    const size = heap.length;
    if (size === 0) return first;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= size) break;
      if (child + 1 < size && this.earlier(heap[child + 1], heap[child])) child++;
      if (!this.earlier(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return first;
  }

  private earlier(a: Event, b: Event): boolean {
    if (a.at !== b.at) return a.at < b.at;
    if (this.timersFirst && a.timer !== b.timer && a.due < a.at && b.due < b.at) return a.timer;
    return a.due === b.due ? a.order < b.order : a.due < b.due;
  }
}
