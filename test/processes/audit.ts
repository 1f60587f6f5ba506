/**
 * The books of a run: what was published when, where and with which result, what each subscription got and when, and which
 * gaps the nodes raised; and whether that keeps ROUTING.md's guarantee. Messages are "publisher:number"; numbers of one
 * publisher start at 1 and have no holes. Times are the machine's clock in milliseconds, as in the nodes' logs.
 */

export interface Outcome {
  /** The counts and the nodes that did not confirm; null when the publish was refused (then nobody need get it). */
  readonly result: { readonly success: number; readonly fail: number; readonly unconfirmed: readonly string[] } | null;
}

interface Entry {
  readonly startedAt: number;
  /** Its place in the order of publishes and acknowledgements. */
  readonly tick: number;
  /** The node at which it entered. */
  readonly node: string;
  readonly channel: string;
  outcome: Outcome | undefined;
}

/** One subscription, from its acknowledgement to its end. */
export interface Subscription {
  readonly name: string;
  readonly node: string;
  readonly channel: string;
  readonly since: number;
  /** Null while it goes on. */
  until: number | null;
  /** Per publisher what came, in the order in which it came. */
  readonly got: Map<string, Arrival[]>;
}

interface Arrival {
  readonly number: number;
  readonly at: number;
}

/** A node said that messages from a peer may have been missed: of a channel, or of any (null). */
export interface Gap {
  readonly node: string;
  readonly peer: string;
  readonly channel: string | null;
  readonly at: number;
}

export interface Miss {
  readonly subscription: string;
  readonly node: string;
  readonly publisher: string;
  readonly number: number;
  /**
   * Who knows of it: the publish had no result at all (its node died), its result names the subscription's node as unconfirmed,
   * or that node raised a gap in time. Null: it is silent.
   */
  readonly record: 'no result' | 'unconfirmed' | 'gap' | null;
}

export interface Findings {
  readonly duplicates: readonly string[];
  readonly disorders: readonly string[];
  readonly misses: readonly Miss[];
}

export class Audit {
  private tick = 0;
  private readonly published = new Map<string, Entry[]>();
  private readonly subscriptions: Subscription[] = [];

  constructor(private readonly now: () => number = Date.now) {}

  /** The text of the next message of that publisher, whose publish starts now at that node. */
  publish(publisher: string, node: string, channel: string): { readonly text: string; readonly number: number } {
    let entries = this.published.get(publisher);
    if (entries === undefined) {
      entries = [];
      this.published.set(publisher, entries);
    }
    const number = entries.push({ startedAt: this.now(), tick: ++this.tick, node, channel, outcome: undefined });
    return { text: `${publisher}:${number}`, number };
  }

  finished(publisher: string, number: number, result: Outcome['result']): void {
    const entry = this.published.get(publisher)?.[number - 1];
    if (entry) entry.outcome = { result };
  }

  /** The subscription was acknowledged now. */
  subscribed(name: string, node: string, channel: string): Subscription {
    const subscription = { name, node, channel, since: ++this.tick, until: null, got: new Map() };
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

  ended(subscription: Subscription): void {
    subscription.until ??= ++this.tick;
  }

  /** Publishes whose result was not complete, or that counted a failure. */
  incomplete(): string[] {
    const found: string[] = [];
    for (const [publisher, entries] of this.published) {
      entries.forEach(({ outcome }, i) => {
        if (outcome === undefined) found.push(`${publisher}:${i + 1} has no result`);
        else if (outcome.result === null) found.push(`${publisher}:${i + 1} was refused`);
        else if (outcome.result.fail > 0 || outcome.result.unconfirmed.length > 0)
          found.push(
            `${publisher}:${i + 1} failed ${outcome.result.fail} [${outcome.result.unconfirmed}] success ${outcome.result.success}`,
          );
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

  /**
   * What is wrong. Each message whose publish started after a subscription was acknowledged must have come, in order and
   * once; of a subscription that ended, up to the last one that came: what follows it was under way when it ended.
   */
  findings(gaps: readonly Gap[] = []): Findings {
    const duplicates: string[] = [];
    const disorders: string[] = [];
    const misses: Miss[] = [];
    for (const subscription of this.subscriptions) {
      for (const [publisher, entries] of this.published) {
        const { name } = subscription;
        const got = (subscription.got.get(publisher) ?? []).map(({ number }) => number);
        if (new Set(got).size < got.length) duplicates.push(`${name} got ${repeated(got)} of ${publisher} twice`);
        const drop = got.findIndex((number, i) => i > 0 && number < got[i - 1]);
        if (drop > 0) disorders.push(`${name} got ${publisher}:${got[drop]} after ${publisher}:${got[drop - 1]}`);
        misses.push(...this.missesOf(subscription, publisher, entries, gaps));
      }
    }
    return { duplicates, disorders, misses };
  }

  private missesOf(
    subscription: Subscription,
    publisher: string,
    entries: readonly Entry[],
    gaps: readonly Gap[],
  ): Miss[] {
    const { name, node, channel, since, until } = subscription;
    const arrivals = subscription.got.get(publisher) ?? [];
    const arrivedAt = new Map(arrivals.map(({ number, at }) => [number, at]));
    const last = until === null ? entries.length : Math.max(0, ...arrivedAt.keys());
    const misses: Miss[] = [];
    // From the end, so that it is known when the next message from the same node came: by then the two were connected again.
    const next = new Map<string, number>();
    for (let number = last; number >= 1; number--) {
      const entry = entries[number - 1];
      if (entry.tick < since || entry.channel !== channel) continue;
      const at = arrivedAt.get(number);
      if (at !== undefined) next.set(entry.node, at);
      else if (entry.outcome?.result !== null)
        misses.push({ subscription: name, node, publisher, number, record: recordOf(entry, node, next, gaps) });
    }
    return misses.reverse();
  }
}

/**
 * A gap stands for a message only when it was raised after the publish had started, about its node and channel, and before the
 * next message from that node came: "at the latest when the two nodes are connected again".
 */
function recordOf(
  { outcome, node: peer, channel, startedAt }: Entry,
  node: string,
  next: ReadonlyMap<string, number>,
  gaps: readonly Gap[],
): Miss['record'] {
  if (outcome === undefined) return 'no result';
  if (outcome.result?.unconfirmed.includes(node)) return 'unconfirmed';
  const latest = next.get(peer) ?? Number.POSITIVE_INFINITY;
  const stands = (gap: Gap): boolean =>
    gap.node === node &&
    gap.peer === peer &&
    (gap.channel === null || gap.channel === channel) &&
    gap.at >= startedAt &&
    gap.at <= latest;
  return gaps.some(stands) ? 'gap' : null;
}

function repeated(numbers: readonly number[]): number[] {
  return [...new Set(numbers.filter((number, i) => numbers.indexOf(number) !== i))];
}
