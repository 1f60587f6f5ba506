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
  readonly order: number;
  readonly host: Host | null;
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

  /** At `time`, in the order of calls where times are equal. `host` null: an event of the world. */
  at(time: number, host: Host | null, fn: () => void): Event {
    const event: Event = { at: Math.max(time, this.now), order: this.scheduled++, host, fn };
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
      if (!earlier(event, above)) break;
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
      if (child + 1 < size && earlier(heap[child + 1], heap[child])) child++;
      if (!earlier(heap[child], last)) break;
      heap[i] = heap[child];
      i = child;
    }
    heap[i] = last;
    return first;
  }
}

function earlier(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
