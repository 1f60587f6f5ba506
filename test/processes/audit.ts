/**
 * The books of a run: what was published when, where and with which result, what each subscription got and when. Whether that
 * keeps ROUTING.md's guarantee is for findings.ts to say. Messages are "publisher:number"; numbers of one publisher start at 1
 * and have no holes. Times are the machine's clock in milliseconds, as in the nodes' logs; ticks are the order of what happened here.
 */

export interface Counts {
  readonly success: number;
  readonly fail: number;
  /** Nodes that did not confirm. With none, the counts are exact. */
  readonly unconfirmed: readonly string[];
}

/** `refused`: nobody need get it. `lost`: the node was killed before it gave a result, and may have sent it to some. */
export type Outcome = Counts | 'refused' | 'lost';

export interface Entry {
  readonly startedAt: number;
  readonly tick: number;
  /** The node at which it entered. */
  readonly node: string;
  readonly channel: string;
  /** Undefined while it has none, for which only a publish that is under way has an excuse. */
  outcome: Outcome | undefined;
  /** When it had its outcome. */
  endTick: number;
}

/** One subscription, from its acknowledgement to its end. */
export interface Subscription {
  readonly name: string;
  readonly node: string;
  readonly channel: string;
  readonly since: number;
  /** Null while it goes on. */
  until: number | null;
  /** It ended with its node, which was killed: what was written to its socket last may not have come. */
  torn: boolean;
  /** It was there at this tick: what it was asked then, its node has answered. */
  livedAt: number;
  /** Per publisher what came, in the order in which it came. */
  readonly got: Map<string, Arrival[]>;
}

export interface Arrival {
  readonly number: number;
  readonly at: number;
}

export class Audit {
  /** The tick of what happened last. */
  tick = 0;
  readonly published = new Map<string, Entry[]>();
  readonly subscriptions: Subscription[] = [];
  /** What should not have happened at all, in words. */
  readonly oddities: string[] = [];

  constructor(private readonly now: () => number = Date.now) {}

  /** The text of the next message of that publisher, whose publish starts now at that node. */
  publish(publisher: string, node: string, channel: string): { readonly text: string; readonly number: number } {
    let entries = this.published.get(publisher);
    if (entries === undefined) {
      entries = [];
      this.published.set(publisher, entries);
    }
    const entry = { startedAt: this.now(), tick: ++this.tick, node, channel, outcome: undefined, endTick: 0 };
    const number = entries.push(entry);
    return { text: `${publisher}:${number}`, number };
  }

  finished(publisher: string, number: number, outcome: Outcome): void {
    const entry = this.published.get(publisher)?.[number - 1];
    if (entry === undefined) return;
    entry.outcome = outcome;
    entry.endTick = ++this.tick;
  }

  /** The subscription was acknowledged now. */
  subscribed(name: string, node: string, channel: string): Subscription {
    const since = ++this.tick;
    const subscription = { name, node, channel, since, until: null, torn: false, livedAt: since, got: new Map() };
    this.subscriptions.push(subscription);
    return subscription;
  }

  received(subscription: Subscription, text: string): void {
    const [publisher, number] = text.split(':');
    // Not one of ours: a test looked whether it gets through.
    if (!this.published.has(publisher)) return;
    const arrival = { number: Number(number), at: this.now() };
    const arrivals = subscription.got.get(publisher);
    if (arrivals) arrivals.push(arrival);
    else subscription.got.set(publisher, [arrival]);
  }

  /** Its node answered what it was asked at that tick. */
  lived(subscription: Subscription, tick: number): void {
    subscription.livedAt = tick;
  }

  ended(subscription: Subscription, torn: boolean): void {
    subscription.until ??= ++this.tick;
    subscription.torn = torn;
  }

  /** Publishes whose result was not complete, or that counted a failure. */
  incomplete(): string[] {
    const found: string[] = [];
    for (const [publisher, entries] of this.published) {
      entries.forEach(({ outcome }, i) => {
        const name = `${publisher}:${i + 1}`;
        if (outcome === undefined) found.push(`${name} has no result`);
        else if (typeof outcome === 'string') found.push(`${name} was ${outcome}`);
        else if (outcome.fail > 0 || outcome.unconfirmed.length > 0)
          found.push(`${name} failed ${outcome.fail} [${outcome.unconfirmed}] success ${outcome.success}`);
      });
    }
    return found;
  }

  /** Messages received, by all subscriptions. */
  get deliveries(): number {
    let count = 0;
    for (const { got } of this.subscriptions) for (const arrivals of got.values()) count += arrivals.length;
    return count;
  }

  get count(): number {
    let count = 0;
    for (const entries of this.published.values()) count += entries.length;
    return count;
  }
}
