/** What clients do: they subscribe, unsubscribe and publish at random, on each node, in the node's own turns. */
import type { Message } from '../core/message.js';
import { patternName } from '../core/pattern.js';
import type { Audience, Delivered } from '../core/ports.js';
import { type Ledger, NEVER, SimSubscriber } from './ledger.js';
import type { SimNode } from './node.js';
import type { SeededRandom } from './random.js';
import type { Load } from './swarm.js';
import type { VirtualTime } from './time.js';

/** Bytes of a payload that number the publication. */
const ID_BYTES = 4;

export class Workload {
  stopped = false;
  readonly channels: readonly string[];
  private readonly random: SeededRandom;
  private readonly patternRandom: SeededRandom;
  private readonly subscribers = new Map<SimNode, SimSubscriber[]>();
  private readonly drained = new Set<SimNode>();
  /** Sites that publish to one channel all the time, by site index. */
  private readonly hot: { readonly site: number; readonly channel: string }[] = [];

  constructor(
    private readonly load: Load,
    private readonly time: VirtualTime,
    private readonly ledger: Ledger,
    stream: (name: string) => SeededRandom,
    sites: number,
  ) {
    const random = stream('workload');
    this.random = random;
    this.patternRandom = stream('workload of patterns');
    this.channels = Array.from({ length: load.channels }, (_, i) => `c${i}`);
    for (const channel of this.channels) ledger.channels.add(channel);
    for (let i = 0; i < load.hot; i++)
      this.hot.push({ site: random.below(sites), channel: random.pick(this.channels) });
  }

  /** A process started: its clients begin at once, ready or not. */
  begin(node: SimNode): void {
    const { load, random } = this;
    const subscribers = Array.from(
      { length: load.subscribers },
      (_, i) => new SimSubscriber(`${node.name}#${i}`, node, random.chance(load.brokenShare)),
    );
    this.subscribers.set(node, subscribers);
    this.repeat(node, load.churnMs, () => this.churn(node));
    this.repeat(node, load.publishMs, () => this.publishSome(node));
    if (load.patterns.length > 0) {
      this.repeat(node, load.patternChurnMs, () => this.churnPatterns(node), this.patternRandom);
    }
    for (const { site, channel } of this.hot) {
      if (site === node.site.index) this.repeat(node, load.hotMs, () => this.publish(node, channel));
    }
  }

  private repeat(node: SimNode, meanMs: number, act: () => void, random = this.random): void {
    this.time.at(this.time.now + random.exponential(meanMs), node, () => {
      if (this.stopped) return;
      act();
      this.repeat(node, meanMs, act, random);
    });
  }

  private churn(node: SimNode): void {
    this.churnOne(node, this.channels, this.random);
  }

  private churnPatterns(node: SimNode): void {
    this.churnOne(node, this.load.patterns.map(patternName), this.patternRandom);
  }

  private churnOne(node: SimNode, names: readonly string[], random: SeededRandom): void {
    if (this.drained.has(node)) return;
    if (!this.ledger.readyAt.has(node) && !random.chance(0.05)) return;
    const subscriber = random.pick(this.subscribers.get(node)!);
    const name = random.pick(names);
    if (!subscriber.subscriptions.has(name)) return this.subscribe(subscriber, name, random);
    if (random.chance(0.6)) this.unsubscribe(subscriber, name);
    // At once again, now and then: the registration, its end and the next one are all under way together.
    if (!subscriber.subscriptions.has(name) && random.chance(0.3)) this.subscribe(subscriber, name, random);
  }

  private subscribe(subscriber: SimSubscriber, channel: string, random: SeededRandom): void {
    const subscription = this.ledger.subscribing(subscriber, channel);
    const allowDegraded = random.chance(this.load.degradedShare);
    subscriber.node.mesh.subscribe(subscriber, channel, (outcome) => this.ledger.answered(subscription, outcome), {
      allowDegraded,
    });
  }

  unsubscribe(subscriber: SimSubscriber, channel: string): void {
    const subscription = subscriber.subscriptions.get(channel);
    if (subscription === undefined) return;
    this.ledger.ended(subscription);
    if (!subscriber.node.mesh.unsubscribe(subscriber, channel) && subscription.ackedAt !== NEVER)
      this.ledger.breach('subscriptions last', `${subscriber.id} was no longer subscribed to ${channel}`, channel);
  }

  /** The node closes its clients; it gets no new ones. */
  drain(node: SimNode): void {
    this.drained.add(node);
    for (const subscriber of this.subscribers.get(node) ?? []) {
      for (const subscription of [...subscriber.subscriptions.values()]) this.ledger.ended(subscription);
      node.mesh.unsubscribeAll(subscriber);
    }
  }

  /** The process is gone, and its clients with it. */
  end(node: SimNode): void {
    for (const subscriber of this.subscribers.get(node) ?? []) {
      for (const subscription of [...subscriber.subscriptions.values()]) this.ledger.ended(subscription);
    }
  }

  private publishSome(node: SimNode): void {
    if (!this.ledger.readyAt.has(node) && !this.random.chance(0.05)) return;
    const channel = this.random.pick(this.channels);
    for (let left = this.random.whole(1, this.load.burst); left > 0; left--) this.publish(node, channel);
  }

  publish(node: SimNode, channel: string): void {
    const publication = this.ledger.publishing(node, channel);
    const { id } = publication;
    const data = new Uint8Array(ID_BYTES + this.random.below(this.load.maxPayload));
    new DataView(data.buffer).setUint32(0, id);
    const refused = node.mesh.publish(channel, data, id % 2 === 0, (result) => this.ledger.done(publication, result));
    if (refused !== null) this.ledger.refused(publication, refused);
  }

  /** A node hands a message to its clients. */
  deliver(node: SimNode, message: Message, audience: Audience): Delivered {
    const { subscribers } = audience;
    const { data, channel, binary } = message;
    const id = new DataView(data.buffer, data.byteOffset).getUint32(0);
    const publication = this.ledger.publications[id];
    if (publication?.channel !== channel || binary !== (id % 2 === 0))
      this.ledger.breach('messages arrive as published', `${node.name} delivers something else as #${id}`, channel);
    let success = 0;
    for (const subscriber of subscribers) {
      if (this.ledger.delivered(node, id, audience.channel, subscriber as SimSubscriber)) success++;
    }
    return { success, fail: subscribers.size - success };
  }

  subscribersOf(node: SimNode): readonly SimSubscriber[] {
    return this.subscribers.get(node) ?? [];
  }
}
