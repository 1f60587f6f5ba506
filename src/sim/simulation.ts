/**
 * One run: a mesh drawn from a seed lives through its faults under load, is then left in peace until it is whole again,
 * and is judged. Everything it does follows from the seed.
 */
import { DEFAULTS } from '../core/options.js';
import { PROFILES } from '../core/profiles.js';
import type { RuleName } from '../core/rules.js';
import { InvariantError } from '../errors.js';
import { Bounds } from './bounds.js';
import { Cluster } from './cluster.js';
import { unsettled } from './convergence.js';
import { Nemesis } from './faults.js';
import { Judge } from './judge.js';
import { LeaseWatch } from './lease-watch.js';
import { type Breach, Ledger } from './ledger.js';
import { Network } from './network.js';
import type { SimNode, World } from './node.js';
import { SeededRandom } from './random.js';
import { RowWatch } from './row-watch.js';
import type { Swarm } from './swarm.js';
import { VirtualTime } from './time.js';
import { Trace } from './trace.js';
import { Views } from './views.js';
import { Workload } from './workload.js';

const CHECK_MS = 250;
/** Time in which a mesh that is left in peace must become whole; with the slow timings of `wan` that much more. */
const PEACE_MS = 60_000;
const WAN_PEACE_MS = 240_000;
/** Time for the last publishes to be counted. */
const LAST_MS = 2500;

export interface Outcome {
  readonly breaches: readonly Breach[];
  readonly hash: string;
  readonly steps: number;
  readonly publishes: number;
  /** Pairs of a publish and a subscription that was owed it. */
  readonly pairs: number;
  /** Misses that the publisher was told of. */
  readonly reported: number;
  /** Virtual time of the run. */
  readonly ms: number;
}

export class Simulation {
  readonly trace: Trace;
  readonly time: VirtualTime;
  readonly network: Network;
  readonly ledger: Ledger;
  readonly cluster: Cluster;
  readonly workload: Workload;
  readonly nemesis: Nemesis;
  readonly views: Views;
  private readonly judge: Judge;
  private readonly bounds: Bounds;
  private readonly leases: LeaseWatch;
  private readonly rows: RowWatch;
  private readonly byEndpoint = new Map<unknown, SimNode>();

  constructor(
    readonly swarm: Swarm,
    without?: RuleName,
    recording = false,
  ) {
    const { seed, tuning, load } = swarm;
    const stream = (name: string): SeededRandom => new SeededRandom(seed, name);
    this.trace = new Trace(recording);
    this.time = new VirtualTime(swarm.turns.timersFirst);
    this.network = new Network(this.time, stream('network'), swarm.latency, swarm.laneBatches);
    this.ledger = new Ledger(
      () => this.time.now,
      this.trace,
      (publication) => {
        // The result may come in the very turn in which the view changed.
        this.views.observe(publication.node);
        publication.doneAt = this.ledger.moment();
        this.judge.judge(publication);
      },
    );
    this.cluster = new Cluster(this.world(without), stream('cluster'), swarm.slowestClock, swarm.fastestClock);
    this.views = new Views(this.cluster, this.ledger);
    this.judge = new Judge(this.ledger, this.views, swarm.lossless);
    this.workload = new Workload(load, this.time, this.ledger, stream, swarm.nodes);
    this.nemesis = new Nemesis(swarm, this.cluster, this.workload, this.time, stream('faults'));
    this.bounds = new Bounds(this.time, this.ledger, tuning, load.maxPayload + 200);
    const named = (nodeId: string): SimNode => this.cluster.sites.find((site) => site.nodeId === nodeId)!.node!;
    this.leases = new LeaseWatch(this.time, this.ledger, named, tuning);
    const running = (nodeId: string): SimNode | undefined => this.cluster.nodes.find((node) => node.nodeId === nodeId);
    this.rows = new RowWatch(this.ledger, running, (node) => this.workload.subscribersOf(node));
    this.connect();
  }

  private world(without: RuleName | undefined): World {
    const { seed, tuning, turns } = this.swarm;
    return {
      seed,
      time: this.time,
      network: this.network,
      trace: this.trace,
      tuning,
      turns,
      without,
      events: {
        delivered: (node, message, audience) => this.workload.deliver(node, message, audience),
        gap: (node, channel, peer, why) => this.ledger.gap(node, channel, peer, why),
        heard: (node, frame) => this.views.see(node, frame),
        ready: (node) => {
          this.cluster.note(node.name, 'is ready');
          this.ledger.ready(node);
          this.views.observe(node);
          this.views.ready(node);
        },
      },
    };
  }

  private connect(): void {
    const { trace, time } = this;
    this.cluster.onStart = (node) => {
      this.byEndpoint.set(node.endpoint, node);
      this.bounds.begin(node);
      this.workload.begin(node);
    };
    this.cluster.onEnd = (node) => this.workload.end(node);
    time.afterTurn = (host) => {
      const node = host as SimNode;
      trace.mix(Math.floor(time.now * 1000) | 0);
      trace.mix(node.index);
      this.views.observe(node);
      this.rows.look(node);
    };
    this.network.watch = (to, from, lane, frames, sentAt) => {
      const receiver = this.byEndpoint.get(to)!;
      const sender = this.byEndpoint.get(from)!;
      trace.mix(receiver.index * 1000 + sender.index);
      for (const frame of frames) {
        trace.mix(frame.kind.charCodeAt(0) * 256 + frame.kind.length);
        if (trace.recording) trace.frame(time.now, receiver.name, sender.name, frame);
        if (lane !== 'control') continue;
        if (frame.kind === 'hello') this.nemesis.greeted(sender.site);
        this.leases.see(receiver, sender, frame, sentAt);
        this.rows.see(receiver, sender, frame);
        this.views.see(receiver, frame);
      }
    };
  }

  /** The whole life of a seed. */
  run(): Outcome {
    try {
      this.begin();
      this.nemesis.begin();
      this.runUntil(this.time.now + this.swarm.activeMs);
      this.makePeace();
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const promise = error instanceof InvariantError ? 'invariant' : 'no exception';
      this.ledger.breach(promise, error.stack ?? error.message);
    }
    return this.outcome();
  }

  /** All first nodes start. */
  begin(): void {
    const { swarm, cluster, time } = this;
    const random = new SeededRandom(swarm.seed, 'begin');
    const sites = Array.from({ length: swarm.nodes }, () => cluster.addSite());
    let at = 0;
    for (const site of sites) {
      const before = sites.slice(0, site.index);
      const seeds = swarm.together ? sites : before.length <= 5 ? before : random.shuffle(before).slice(0, 5);
      time.at(at, null, () => cluster.start(site, seeds));
      at += swarm.together ? random.between(0, 100) : random.scaled(1, 300);
    }
  }

  /** Lets events happen until that moment, or until a promise is broken; checks now and then. */
  runUntil(end: number): boolean {
    const { time, ledger } = this;
    while (time.now < end && ledger.breaches.length === 0) {
      const next = Math.min(end, time.now + CHECK_MS);
      while (ledger.breaches.length === 0 && time.step(next));
      this.check();
    }
    return ledger.breaches.length === 0;
  }

  private check(): void {
    for (const node of this.cluster.nodes) {
      this.bounds.check(node);
      this.leases.check(node, this.ledger.channels);
    }
    this.rows.check(this.cluster.nodes);
  }

  /** The faults and the load end; the mesh must become whole, and count to the last message. */
  makePeace(): void {
    this.nemesis.stop();
    this.workload.stopped = true;
    const deadline = this.time.now + (this.swarm.tuning.profile === 'wan' ? WAN_PEACE_MS : PEACE_MS);
    let why: string | null = 'the time is not over';
    while (why !== null && this.time.now < deadline) {
      if (!this.runUntil(this.time.now + CHECK_MS)) return;
      why = unsettled(this.cluster, this.ledger, this.workload);
    }
    if (why !== null) return this.ledger.breach('whole again after faults', why);
    this.publishEverywhere();
    if (this.runUntil(this.time.now + LAST_MS)) this.judge.settle();
  }

  /** From each node to each channel, once more: everything must be exact now. */
  private publishEverywhere(): void {
    const { cluster, workload, time, ledger } = this;
    this.judge.lossless = this.isQuick();
    const floods = (node: SimNode): number => node.counters.get('floods_total') ?? 0;
    const before = cluster.nodes.map(floods);
    for (const node of cluster.nodes.slice(0, 40)) {
      time.turn(node, () => {
        for (const channel of ledger.channels) workload.publish(node, channel);
      });
    }
    if (!this.runUntil(time.now + LAST_MS)) return;
    if (!this.isQuick()) return;
    cluster.nodes.forEach((node, i) => {
      if (floods(node) > before[i]) ledger.breach('no flood in peace', `${node.name} sent to the whole view`);
    });
  }

  /** Neither a look-up nor a probe can take longer than it may for the network's slowness alone: nobody looks dead who is not. */
  private isQuick(): boolean {
    const { latency, tuning } = this.swarm;
    const { lookupGiveUpMs, profile } = { ...DEFAULTS, ...tuning };
    const roundTripMs = 2 * latency.spread * (latency.minMs + 10 * latency.jitterMs);
    return latency.slowShare === 0 && roundTripMs < Math.min(lookupGiveUpMs, PROFILES[profile].probeTimeoutMs);
  }

  outcome(): Outcome {
    const { ledger, trace, time } = this;
    return {
      breaches: ledger.breaches,
      hash: trace.hash,
      steps: time.steps,
      publishes: ledger.publications.length,
      pairs: ledger.publications.reduce((sum, publication) => sum + publication.expected.length, 0),
      reported: this.judge.reported,
      ms: time.now,
    };
  }
}
