/**
 * The books of a run: what was published when and with which result, what each subscription got, and whether that keeps
 * ROUTING.md's guarantee. Messages are "publisher:number"; numbers of one publisher start at 1 and have no holes.
 */

export interface Outcome {
  /** The counts and the nodes that did not confirm; null when the publish was refused (then nobody need get it). */
  readonly result: { readonly success: number; readonly fail: number; readonly unconfirmed: readonly string[] } | null;
}

interface Entry {
  readonly startedAt: number;
  outcome: Outcome | undefined;
}

/** One subscription, from its acknowledgement to its end. */
export interface Subscription {
  readonly name: string;
  readonly node: string;
  readonly since: number;
  /** Null while it goes on. */
  until: number | null;
  /** Numbers per publisher, in the order in which they came. */
  readonly got: Map<string, number[]>;
}

export interface Miss {
  readonly subscription: string;
  readonly node: string;
  readonly publisher: string;
  readonly number: number;
  /** The publish said that the count of this subscription's node, or of some node, is not known. */
  readonly reported: boolean;
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

  /** The text of the next message of that publisher, whose publish starts now. */
  publish(publisher: string): { readonly text: string; readonly number: number } {
    let entries = this.published.get(publisher);
    if (entries === undefined) {
      entries = [];
      this.published.set(publisher, entries);
    }
    const number = entries.push({ startedAt: ++this.tick, outcome: undefined });
    return { text: `${publisher}:${number}`, number };
  }

  finished(publisher: string, number: number, result: Outcome['result']): void {
    const entry = this.published.get(publisher)?.[number - 1];
    if (entry) entry.outcome = { result };
  }

  /** The subscription was acknowledged now. */
  subscribed(name: string, node: string): Subscription {
    const subscription = { name, node, since: ++this.tick, until: null, got: new Map() };
    this.subscriptions.push(subscription);
    return subscription;
  }

  received(subscription: Subscription, text: string): void {
    const [publisher, number] = text.split(':');
    // Not one of ours: a test looked whether it gets through.
    if (!this.published.has(publisher)) return;
    const numbers = subscription.got.get(publisher);
    if (numbers) numbers.push(Number(number));
    else subscription.got.set(publisher, [Number(number)]);
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

  /** Waits until what is on its way has come, or nothing new comes for a while. */
  async complete(): Promise<void> {
    for (let idle = 0, before = -1; idle < 20 && this.open() > 0; ) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      idle = this.deliveries === before ? idle + 1 : 0;
      before = this.deliveries;
    }
  }

  /** Messages received, by all subscriptions. */
  get deliveries(): number {
    let count = 0;
    for (const { got } of this.subscriptions) for (const numbers of got.values()) count += numbers.length;
    return count;
  }

  private open(): number {
    return this.findings().misses.length;
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
  findings(): Findings {
    const duplicates: string[] = [];
    const disorders: string[] = [];
    const misses: Miss[] = [];
    for (const subscription of this.subscriptions) {
      for (const [publisher, entries] of this.published) {
        const got = subscription.got.get(publisher) ?? [];
        const seen = new Set(got);
        if (seen.size < got.length) duplicates.push(`${subscription.name} got ${repeated(got)} of ${publisher} twice`);
        const drop = got.findIndex((number, i) => i > 0 && number < got[i - 1]);
        if (drop > 0)
          disorders.push(`${subscription.name} got ${publisher}:${got[drop]} after ${publisher}:${got[drop - 1]}`);
        const last = subscription.until === null ? entries.length : Math.max(0, ...got);
        for (let number = 1; number <= last; number++) {
          const entry = entries[number - 1];
          if (entry.startedAt < subscription.since || seen.has(number) || entry.outcome?.result === null) continue;
          const { name, node } = subscription;
          misses.push({ subscription: name, node, publisher, number, reported: isReported(entry.outcome) });
        }
      }
    }
    return { duplicates, disorders, misses };
  }
}

function isReported(outcome: Outcome | undefined): boolean {
  const result = outcome?.result;
  return result === undefined || result === null || result.unconfirmed.length > 0 || result.fail > 0;
}

function repeated(numbers: readonly number[]): number[] {
  return [...new Set(numbers.filter((number, i) => numbers.indexOf(number) !== i))];
}
