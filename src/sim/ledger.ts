/**
 * The oracle's book: every subscription, publication and delivery of a run, as seen from outside by somebody who sees
 * everything. What follows from it is judged in judge.ts; broken promises that show at once are noted here.
 */
import type { PublishResult, SubscribeOutcome } from '../core/message.js';
import { isPatternName } from '../core/pattern.js';
import type { Subscriber } from '../core/ports.js';
import type { SimNode } from './node.js';
import type { Trace } from './trace.js';

/** Moments are counted, not measured: nothing happens at the same time. */
export type Moment = number;
export const NEVER: Moment = Number.POSITIVE_INFINITY;

export class SimSubscriber implements Subscriber {
  /** By the name of the channel or pattern (core/pattern.ts). */
  readonly subscriptions = new Map<string, Subscription>();

  constructor(
    readonly id: string,
    readonly node: SimNode,
    /** It gets nothing: each delivery counts as failed. */
    readonly broken: boolean,
  ) {}
}

export interface Subscription {
  readonly subscriber: SimSubscriber;
  /** Name of the channel or pattern. */
  readonly channel: string;
  readonly askedAt: Moment;
  ackedAt: Moment;
  degraded: boolean;
  endedAt: Moment;
  /** Last publication that arrived from each node on each channel. */
  readonly last: Map<string, number>;
}

export interface Publication {
  readonly id: number;
  readonly node: SimNode;
  readonly channel: string;
  readonly at: Moment;
  readonly time: number;
  doneAt: Moment;
  result: PublishResult | null;
  /** Acknowledged, not degraded, when it started. */
  readonly expected: readonly Subscription[];
  readonly got: Subscription[];
  success: number;
  fail: number;
}

export interface Gap {
  readonly at: Moment;
  readonly node: SimNode;
  readonly channel: string | null;
  readonly peer: string;
}

/** Whether a subscription to `name` is owed what is published on the channel; the oracle's own idea of a pattern. */
export function covers(name: string, channel: string): boolean {
  if (!isPatternName(name)) return name === channel;
  const pieces = name.slice(1).split('*');
  return new RegExp(`^${pieces.join('.*')}$`).test(channel);
}

/** A promise that was broken. */
export interface Breach {
  /** Item of ROUTING.md "What the simulator checks". */
  readonly promise: string;
  readonly text: string;
  readonly at: number;
  readonly channel: string | null;
}

export class Ledger {
  /** Every channel that anybody subscribed or published to, or is going to. */
  readonly channels = new Set<string>();
  readonly publications: Publication[] = [];
  readonly gaps: Gap[] = [];
  readonly breaches: Breach[] = [];
  readonly readyAt = new Map<SimNode, Moment>();
  /** Subscribes that wait for their acknowledgement. */
  readonly waiting = new Set<Subscription>();
  private readonly acked = new Map<string, Set<Subscription>>();
  private clock: Moment = 0;

  constructor(
    private readonly now: () => number,
    private readonly trace: Trace,
    /** Judges a publication once its result is known. */
    private readonly judge: (publication: Publication) => void,
  ) {}

  moment(): Moment {
    return ++this.clock;
  }

  breach(promise: string, text: string, channel: string | null = null): void {
    this.trace.note(this.now(), 'BROKEN', `${promise}: ${text}`, channel);
    if (this.breaches.length < 20) this.breaches.push({ promise, text, at: this.now(), channel });
  }

  ready(node: SimNode): void {
    if (this.readyAt.has(node)) this.breach('ready once', `${node.name} became ready twice`);
    this.readyAt.set(node, this.moment());
  }

  subscribing(subscriber: SimSubscriber, channel: string): Subscription {
    if (!isPatternName(channel)) this.channels.add(channel);
    const subscription: Subscription = {
      subscriber,
      channel,
      askedAt: this.moment(),
      ackedAt: NEVER,
      degraded: false,
      endedAt: NEVER,
      last: new Map(),
    };
    subscriber.subscriptions.set(channel, subscription);
    this.waiting.add(subscription);
    return subscription;
  }

  answered(subscription: Subscription, outcome: SubscribeOutcome): void {
    this.waiting.delete(subscription);
    const { subscriber, channel } = subscription;
    const { node } = subscriber;
    this.trace.mix(outcome.ok ? (outcome.degraded ? 2 : 1) : outcome.reason.length);
    this.trace.note(this.now(), node.name, `${subscriber.id} subscribed: ${JSON.stringify(outcome)}`, channel);
    if (!outcome.ok) {
      if (subscription.endedAt === NEVER) this.ended(subscription);
      return;
    }
    if (!this.readyAt.has(node)) this.breach('nothing before ready', `${node.name} acknowledged a subscribe`, channel);
    if (subscription.endedAt !== NEVER) {
      this.breach('closed subscribes', `${subscriber.id} was told ok after it had unsubscribed`, channel);
      return;
    }
    subscription.ackedAt = this.moment();
    subscription.degraded = outcome.degraded;
    if (outcome.degraded) return;
    const acked = this.acked.get(channel);
    if (acked === undefined) this.acked.set(channel, new Set([subscription]));
    else acked.add(subscription);
  }

  ended(subscription: Subscription): void {
    subscription.endedAt = this.moment();
    this.acked.get(subscription.channel)?.delete(subscription);
    const { subscriber, channel } = subscription;
    if (subscriber.subscriptions.get(channel) === subscription) subscriber.subscriptions.delete(channel);
  }

  publishing(node: SimNode, channel: string): Publication {
    this.channels.add(channel);
    const publication: Publication = {
      id: this.publications.length,
      node,
      channel,
      at: this.moment(),
      time: this.now(),
      doneAt: NEVER,
      result: null,
      expected: this.expected(channel),
      got: [],
      success: 0,
      fail: 0,
    };
    this.publications.push(publication);
    return publication;
  }

  private expected(channel: string): Subscription[] {
    const expected = [...(this.acked.get(channel) ?? [])];
    for (const [name, subscriptions] of this.acked) {
      if (isPatternName(name) && covers(name, channel)) expected.push(...subscriptions);
    }
    return expected;
  }

  /** The node said no, before anything was sent. */
  refused(publication: Publication, why: string): void {
    this.trace.note(this.now(), publication.node.name, `refused #${publication.id}: ${why}`, publication.channel);
    publication.doneAt = publication.at;
    publication.result = { success: 0, fail: 0, unconfirmed: ['refused'] };
    if (publication.got.length > 0) this.breach('refused is refused', `#${publication.id} was delivered all the same`);
  }

  done(publication: Publication, result: PublishResult): void {
    const { node, id, channel } = publication;
    this.trace.mix(id);
    this.trace.mix(result.success * 1000 + result.fail);
    this.trace.note(this.now(), node.name, `result of #${id}: ${JSON.stringify(result)}`, channel);
    if (publication.result !== null) return this.breach('one result', `#${id} had two results`, channel);
    if (!this.readyAt.has(node)) this.breach('nothing before ready', `${node.name} published #${id}`, channel);
    publication.doneAt = this.moment();
    publication.result = result;
    this.judge(publication);
  }

  /** To the subscription of that name. Returns whether the subscriber takes it. */
  delivered(node: SimNode, id: number, name: string, subscriber: SimSubscriber): boolean {
    const publication = this.publications[id];
    const { channel } = publication;
    const subscription = covers(name, channel) ? subscriber.subscriptions.get(name) : undefined;
    this.trace.mix(id * 64 + node.index);
    this.trace.note(this.now(), node.name, `delivers #${id} to ${subscriber.id}`, channel);
    if (subscription === undefined) {
      this.breach('only subscribers', `#${id} was delivered to ${subscriber.id}, who was not subscribed`, channel);
      return false;
    }
    if (publication.got.includes(subscription))
      this.breach('at most once', `#${id} was delivered twice to ${subscriber.id}`, channel);
    const way = `${publication.node.index} ${channel}`;
    const last = subscription.last.get(way) ?? -1;
    if (last > id) this.breach('order', `#${id} came after #${last} at ${subscriber.id}`, channel);
    subscription.last.set(way, id);
    publication.got.push(subscription);
    if (subscriber.broken) publication.fail++;
    else publication.success++;
    return !subscriber.broken;
  }

  gap(node: SimNode, channel: string | null, peer: string, why: string): void {
    this.trace.note(this.now(), node.name, `gap from ${peer}: ${why}`, channel);
    this.gaps.push({ at: this.moment(), node, channel, peer });
  }
}
