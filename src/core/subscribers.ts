/**
 * The local subscribers: who is on which channel or pattern, and which of them still wait for the mesh to know (rule 5).
 */
import type { Channel, Channels } from './channels.js';
import type { Message, SubscribeOutcome } from './message.js';
import { isPatternName } from './pattern.js';
import type { Audience, Clock, Delivered, Meter, Sockets, Subscriber } from './ports.js';

/** A subscribe that the mesh has not acknowledged. */
interface Wait {
  readonly subscriber: Subscriber;
  readonly channel: Channel;
  readonly deadline: number;
  /** It made the subscription, so it takes it back when it fails; an earlier one that was acknowledged stays (rule 5). */
  readonly fresh: boolean;
  readonly allowDegraded: boolean;
  readonly done: (outcome: SubscribeOutcome) => void;
  over: boolean;
}

export class LocalAudience implements Audience {
  readonly subscribers = new Set<Subscriber>();
  notes: unknown = null;
  waits: Wait[] = [];

  constructor(readonly channel: string) {}
}

/** What the owners know of this node's interest (interest.ts), and whether this node is settled (rule 3). */
export interface Registrar {
  want(channel: Channel): void;
  unwant(channel: Channel): void;
  /** A subscribe of that channel may be acknowledged now. */
  acknowledged(channel: Channel): boolean;
}

export interface SubscriberLimits {
  readonly subscribeTimeoutMs: number;
  readonly maxChannels: number;
  readonly maxPatterns: number;
}

const NOBODY: Delivered = { success: 0, fail: 0 };
const KNOWN: SubscribeOutcome = { ok: true, degraded: false };

export class Subscribers {
  /** Channels and patterns with a subscriber, and subscriptions of both. */
  channelCount = 0;
  patternCount = 0;
  subscriptionCount = 0;
  /** Channels and patterns of each subscriber. */
  private readonly joined = new Map<Subscriber, Set<Channel>>();
  /** Waits by deadline, which is also the order in which they began. */
  private waits: Wait[] = [];

  constructor(
    private readonly channels: Channels,
    private readonly registrar: Registrar,
    private readonly sockets: Sockets,
    private readonly clock: Clock,
    private readonly meter: Pick<Meter, 'count'>,
    private readonly limits: SubscriberLimits,
  ) {}

  get waiting(): number {
    return this.waits.reduce((sum, wait) => sum + (wait.over ? 0 : 1), 0);
  }

  subscribe(
    subscriber: Subscriber,
    name: string,
    allowDegraded: boolean,
    done: (outcome: SubscribeOutcome) => void,
  ): void {
    let channel = this.channels.find(name);
    if (!channel?.audience && this.isFull(name)) {
      this.meter.count('drops_total', 1, isPatternName(name) ? 'too_many_patterns' : 'too_many_channels');
      done({ ok: false, reason: 'node_limit' });
      return;
    }
    channel ??= this.channels.get(name);
    const fresh = !channel.audience?.subscribers.has(subscriber);
    const audience = this.add(subscriber, channel);
    if (this.registrar.acknowledged(channel)) {
      done(KNOWN);
      return;
    }
    const deadline = this.clock.now() + this.limits.subscribeTimeoutMs;
    const wait = { subscriber, channel, deadline, fresh, allowDegraded, done, over: false };
    audience.waits.push(wait);
    if (this.waits.push(wait) === 1) this.clock.after(this.limits.subscribeTimeoutMs, () => this.endWaits());
  }

  private isFull(name: string): boolean {
    const { maxPatterns, maxChannels } = this.limits;
    return isPatternName(name) ? this.patternCount >= maxPatterns : this.channelCount >= maxChannels;
  }

  private countAudience(channel: Channel, by: 1 | -1): void {
    if (channel.pattern === null) this.channelCount += by;
    else this.patternCount += by;
  }

  private add(subscriber: Subscriber, channel: Channel): LocalAudience {
    if (channel.audience === null) {
      channel.audience = new LocalAudience(channel.name);
      this.countAudience(channel, 1);
      this.registrar.want(channel);
    }
    const audience = channel.audience;
    if (audience.subscribers.has(subscriber)) return audience;
    audience.subscribers.add(subscriber);
    this.subscriptionCount++;
    const channels = this.joined.get(subscriber);
    if (channels) channels.add(channel);
    else this.joined.set(subscriber, new Set([channel]));
    this.sockets.joined(audience, subscriber);
    return audience;
  }

  unsubscribe(subscriber: Subscriber, name: string): boolean {
    const channel = this.channels.find(name);
    const mine = this.joined.get(subscriber);
    if (channel === undefined || !mine?.delete(channel)) return false;
    if (mine.size === 0) this.joined.delete(subscriber);
    this.remove(subscriber, channel);
    return true;
  }

  unsubscribeAll(subscriber: Subscriber, kind?: 'channel' | 'pattern'): void {
    for (const { name, pattern } of [...(this.joined.get(subscriber) ?? [])]) {
      if (kind === undefined || (kind === 'pattern') === (pattern !== null)) this.unsubscribe(subscriber, name);
    }
  }

  channelsOf(subscriber: Subscriber): string[] {
    return [...(this.joined.get(subscriber) ?? [])].map((channel) => channel.name);
  }

  private remove(subscriber: Subscriber, channel: Channel): void {
    const audience = channel.audience!;
    audience.subscribers.delete(subscriber);
    this.subscriptionCount--;
    this.sockets.left(audience, subscriber);
    if (audience.subscribers.size === 0) {
      channel.audience = null;
      this.countAudience(channel, -1);
      this.registrar.unwant(channel);
    }
    for (const wait of audience.waits.filter((one) => one.subscriber === subscriber)) {
      this.end(wait, { ok: false, reason: 'closed' });
    }
  }

  /** The node ends: whoever waits is told so. */
  stop(): void {
    for (const wait of this.waits) this.end(wait, { ok: false, reason: 'closed' });
    this.waits = [];
  }

  /** Hands a message to this node's subscribers, once for each of their subscriptions; it goes no further. */
  deliver(channel: Channel | undefined, message: Message): Delivered {
    const audience = channel?.audience ?? null;
    const patterns = this.channels.matching(message.channel);
    const delivered = audience === null ? NOBODY : this.sockets.deliver(audience, message);
    return patterns.length === 0 ? delivered : this.deliverToPatterns(patterns, message, delivered);
  }

  private deliverToPatterns(patterns: readonly Channel[], message: Message, before: Delivered): Delivered {
    let { success, fail } = before;
    for (const { audience } of patterns) {
      if (audience === null) continue;
      const delivered = this.sockets.deliver(audience, message);
      success += delivered.success;
      fail += delivered.fail;
    }
    return { success, fail };
  }

  /** What the owners know of that channel has changed. */
  reevaluate(channel: Channel): void {
    const waits = channel.audience?.waits;
    if (!waits?.length || !this.registrar.acknowledged(channel)) return;
    for (const wait of [...waits]) this.end(wait, KNOWN);
  }

  /** This node is settled again, or the owners have changed. */
  reevaluateAll(): void {
    for (const wait of [...this.waits]) if (!wait.over) this.reevaluate(wait.channel);
  }

  private end(wait: Wait, outcome: SubscribeOutcome): void {
    if (wait.over) return;
    wait.over = true;
    const waits = wait.channel.audience?.waits;
    waits?.splice(waits.indexOf(wait), 1);
    wait.done(outcome);
  }

  private endWaits(): void {
    const now = this.clock.now();
    let over = 0;
    while (over < this.waits.length && (this.waits[over].over || this.waits[over].deadline <= now)) over++;
    for (const wait of this.waits.splice(0, over)) {
      if (wait.over) continue;
      if (wait.allowDegraded) this.end(wait, { ok: true, degraded: true });
      else {
        this.end(wait, { ok: false, reason: 'timeout' });
        if (wait.fresh) this.unsubscribe(wait.subscriber, wait.channel.name);
      }
    }
    if (this.waits.length > 0) this.clock.after(Math.max(1, this.waits[0].deadline - now), () => this.endWaits());
  }
}
