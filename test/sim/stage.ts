/** A simulated mesh in which nothing happens but what a test does to it; everything is judged as in a seeded run. */
import type { PublishResult, SubscribeOutcome } from '../../src/core/message.js';
import type { RuleName } from '../../src/core/rules.js';
import type { Publication, Subscription } from '../../src/sim/ledger.js';
import type { SimNode, Site } from '../../src/sim/node.js';
import { Simulation } from '../../src/sim/simulation.js';
import { quietSwarm, type Swarm } from '../../src/sim/swarm.js';

const CHANNELS = 10;

export class Stage {
  readonly sim: Simulation;

  constructor(overrides: Partial<Swarm> = {}, without?: RuleName) {
    const quiet = quietSwarm(overrides);
    this.sim = new Simulation({ ...quiet, load: overrides.load ?? { ...quiet.load, channels: CHANNELS } }, without);
    this.sim.begin();
  }

  get now(): number {
    return this.sim.time.now;
  }
  get breaches(): string[] {
    return this.sim.ledger.breaches.map(({ promise, text }) => `${promise}: ${text}`);
  }

  /** The process that runs at that site, by its place in the list. */
  node(index: number): SimNode {
    return this.sim.cluster.sites[index].node!;
  }
  site(index: number): Site {
    return this.sim.cluster.sites[index];
  }

  /** From now on nothing moves from one site to the other. */
  hold(from: number, to: number): this {
    this.sim.cluster.hold(this.site(from), this.site(to));
    return this;
  }
  release(from: number, to: number): this {
    this.sim.cluster.release(this.site(from), this.site(to));
    return this;
  }

  run(ms: number): this {
    this.sim.runUntil(this.now + ms);
    return this;
  }

  until(what: string, condition: () => boolean, ms = 30_000): this {
    const end = this.now + ms;
    while (!condition()) {
      if (this.sim.ledger.breaches.length > 0) throw new Error(`broken before ${what}: ${this.breaches[0]}`);
      if (!this.sim.time.step(end)) throw new Error(`never: ${what}`);
    }
    return this;
  }

  ready(): this {
    const { cluster } = this.sim;
    return this.until('all are ready', () => {
      const digest = cluster.nodes[0]?.mesh.digest();
      return (
        cluster.nodes.length === this.sim.swarm.nodes &&
        cluster.nodes.every(({ mesh }) => mesh.phase === 'ready' && mesh.digest() === digest && mesh.settled())
      );
    });
  }

  subscribe(
    index: number,
    channel: string,
    client = 0,
  ): { readonly subscription: Subscription; outcome(): SubscribeOutcome | null } {
    const node = this.node(index);
    const subscriber = this.sim.workload.subscribersOf(node)[client];
    const { ledger, time } = this.sim;
    const subscription = ledger.subscribing(subscriber, channel);
    let answer: SubscribeOutcome | null = null;
    time.turn(node, () =>
      node.mesh.subscribe(subscriber, channel, (outcome) => {
        answer = outcome;
        ledger.answered(subscription, outcome);
      }),
    );
    return { subscription, outcome: () => answer };
  }

  /** Subscribes, and waits until the mesh knows. */
  subscribed(index: number, channel: string, client = 0): Subscription {
    const { subscription, outcome } = this.subscribe(index, channel, client);
    this.until(`n${index + 1} is subscribed to ${channel}`, () => outcome() !== null);
    if (!outcome()!.ok) throw new Error(`the subscribe failed: ${JSON.stringify(outcome())}`);
    return subscription;
  }

  unsubscribe(index: number, channel: string, client = 0): void {
    const node = this.node(index);
    const subscriber = this.sim.workload.subscribersOf(node)[client];
    this.sim.time.turn(node, () => this.sim.workload.unsubscribe(subscriber, channel));
  }

  publish(index: number, channel: string): Publication {
    const node = this.node(index);
    const { publications } = this.sim.ledger;
    this.sim.time.turn(node, () => this.sim.workload.publish(node, channel));
    return publications[publications.length - 1];
  }

  /** Publishes, and waits for the counts. */
  published(index: number, channel: string): PublishResult {
    const publication = this.publish(index, channel);
    this.until('the counts are there', () => publication.result !== null);
    return publication.result!;
  }

  /** Ends the faults and the run as a seed does: the mesh must become whole and everything be accounted for. */
  end(): string[] {
    this.sim.makePeace();
    return this.breaches;
  }

  /** Owners of a channel, as places in the list of sites. */
  owners(channel: string): number[] {
    const { owners } = this.node(0).mesh.explain(channel);
    return owners.map((owner) => this.sim.cluster.sites.findIndex((site) => site.nodeId === owner));
  }

  /** A channel that these sites, and no other, own. */
  channelOwnedBy(...sites: number[]): string {
    const wanted = [...sites].sort().join();
    const found = this.sim.workload.channels.find((channel) => [...this.owners(channel)].sort().join() === wanted);
    for (let i = 0; found === undefined && i < 10_000; i++) {
      const channel = `made-${i}`;
      if ([...this.owners(channel)].sort().join() === wanted) return channel;
    }
    if (found === undefined) throw new Error(`no channel of ${wanted}`);
    return found;
  }
}
