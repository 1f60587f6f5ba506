/** What is wrong in the books of a run: whether it kept ROUTING.md's guarantee. */
import type { Audit, Entry, Subscription } from './audit.js';

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
   * Who knows of it: its result names the subscription's node as unconfirmed, that node raised a gap in time, or the node where
   * it entered was killed over it. Null: it is silent.
   */
  readonly record: 'unconfirmed' | 'gap' | 'lost' | null;
}

export interface Findings {
  readonly duplicates: readonly string[];
  readonly disorders: readonly string[];
  readonly misses: readonly Miss[];
  /** Results that say another number than that of the subscriptions that got the message. */
  readonly miscounts: readonly string[];
  /** Publishes without any result, messages that were never published, or on another channel, connections closed for no reason. */
  readonly oddities: readonly string[];
}

export function findingsOf(audit: Audit, gaps: readonly Gap[] = []): Findings {
  const findings = {
    duplicates: [] as string[],
    disorders: [] as string[],
    misses: [] as Miss[],
    miscounts: [] as string[],
    oddities: [...audit.oddities],
  };
  for (const [publisher, entries] of audit.published) {
    for (const subscription of audit.subscriptions) {
      const { name, channel } = subscription;
      const got = (subscription.got.get(publisher) ?? []).map(({ number }) => number);
      if (new Set(got).size < got.length)
        findings.duplicates.push(`${name} got ${repeated(got)} of ${publisher} twice`);
      const drop = got.findIndex((number, i) => i > 0 && number < got[i - 1]);
      if (drop > 0)
        findings.disorders.push(`${name} got ${publisher}:${got[drop]} after ${publisher}:${got[drop - 1]}`);
      const stray = got.find((number) => entries[number - 1]?.channel !== channel);
      if (stray !== undefined) findings.oddities.push(`${name} got ${publisher}:${stray}, which is not on its channel`);
      findings.misses.push(...missesOf(subscription, publisher, entries, gaps));
    }
    findings.miscounts.push(...miscountsOf(audit.subscriptions, publisher, entries));
    entries.forEach(({ outcome }, i) => {
      if (outcome === undefined) findings.oddities.push(`${publisher}:${i + 1} has no result`);
    });
  }
  return findings;
}

/** Each message that a subscription is owed must have come. */
function missesOf(
  subscription: Subscription,
  publisher: string,
  entries: readonly Entry[],
  gaps: readonly Gap[],
): Miss[] {
  const { name, node } = subscription;
  const arrivals = subscription.got.get(publisher) ?? [];
  const arrivedAt = new Map(arrivals.map(({ number, at }) => [number, at]));
  const misses: Miss[] = [];
  // From the end, so that it is known when the next message from the same node came: by then the two were connected again.
  const next = new Map<string, number>();
  for (let number = entries.length; number >= 1; number--) {
    const entry = entries[number - 1];
    const at = arrivedAt.get(number);
    if (at !== undefined) next.set(entry.node, at);
    else if (isOwed(entry, subscription, next.size > 0))
      misses.push({ subscription: name, node, publisher, number, record: recordOf(entry, node, next, gaps) });
  }
  return misses.reverse();
}

/**
 * Owed is what was published on the channel after the acknowledgement. A subscription that ended was still there when a later
 * message of the same publisher came to it, and when it was asked what it answered; what had no result by then was under way.
 */
function isOwed(entry: Entry, { channel, since, until, livedAt }: Subscription, cameLater: boolean): boolean {
  if (entry.channel !== channel || entry.tick < since || entry.outcome === 'refused') return false;
  return until === null || cameLater || (entry.outcome !== undefined && entry.endTick <= livedAt);
}

/**
 * A gap stands for a message only when it was raised after the publish had started, about its node and channel, and before the
 * next message from that node came: "at the latest when the two nodes are connected again". And a killed node may take with it
 * what it had not sent yet, not what was before something that it has sent.
 */
function recordOf(
  { outcome, node: peer, channel, startedAt }: Entry,
  node: string,
  next: ReadonlyMap<string, number>,
  gaps: readonly Gap[],
): Miss['record'] {
  if (typeof outcome === 'object' && outcome.unconfirmed.includes(node)) return 'unconfirmed';
  const latest = next.get(peer) ?? Number.POSITIVE_INFINITY;
  const stands = (gap: Gap): boolean =>
    gap.node === node &&
    gap.peer === peer &&
    (gap.channel === null || gap.channel === channel) &&
    gap.at >= startedAt &&
    gap.at <= latest;
  if (gaps.some(stands)) return 'gap';
  return outcome === 'lost' && !next.has(peer) ? 'lost' : null;
}

/**
 * A result without unconfirmed nodes counts exactly the subscriptions that got the message, one with some at most those. Where
 * a node was killed, its subscriptions may have been counted for what was still on its way to them.
 */
function miscountsOf(subscriptions: readonly Subscription[], publisher: string, entries: readonly Entry[]): string[] {
  const came = entries.map(() => 0);
  const perhaps = entries.map(() => 0);
  for (const { got, channel, torn, until } of subscriptions) {
    const numbers = new Set((got.get(publisher) ?? []).map(({ number }) => number));
    entries.forEach((entry, i) => {
      if (entry.channel !== channel) return;
      if (numbers.has(i + 1)) came[i]++;
      else if (torn && until !== null && until > entry.tick) perhaps[i]++;
    });
  }
  return entries.flatMap(({ outcome }, i) => {
    if (typeof outcome !== 'object') return [];
    const tooMany = outcome.success > came[i] + perhaps[i];
    const tooFew = outcome.unconfirmed.length === 0 && outcome.success < came[i];
    return tooMany || tooFew ? [`${publisher}:${i + 1} counted ${outcome.success}, came to ${came[i]}`] : [];
  });
}

function repeated(numbers: readonly number[]): number[] {
  return [...new Set(numbers.filter((number, i) => numbers.indexOf(number) !== i))];
}
