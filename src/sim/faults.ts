/** What goes wrong: each kind of fault comes by chance at its own pace, until the faults stop. */
import type { Lane } from '../core/ports.js';
import type { Cluster } from './cluster.js';
import type { Site } from './node.js';
import { SeededRandom } from './random.js';
import type { Faults, Swarm } from './swarm.js';
import type { VirtualTime } from './time.js';
import type { Workload } from './workload.js';

const MAX_SEEDS = 5;

export class Nemesis {
  private stopped = false;
  private spare: number;
  /** A rolling restart goes on. */
  private rolling = false;
  /** What a node is to hear as soon as it greets another. */
  private rumour: { readonly at: Site; readonly victim: Site } | null = null;
  /** For what was added later: the faults of older seeds stay what they were. */
  private readonly more: SeededRandom;

  constructor(
    private readonly swarm: Swarm,
    private readonly cluster: Cluster,
    private readonly workload: Workload,
    private readonly time: VirtualTime,
    private readonly random: SeededRandom,
  ) {
    this.spare = swarm.spare;
    this.more = new SeededRandom(swarm.seed, 'more faults');
  }

  begin(): void {
    const acts: Readonly<Record<keyof Faults, () => void>> = {
      reset: () => this.pair((a, b) => this.cluster.reset(a, b)),
      oneWay: () => this.pair((a, b) => this.oneWay(a, b)),
      clog: () => this.pair((a, b) => this.clog(a, b)),
      stall: () => this.cluster.stall(this.site(), this.random.scaled(10, 4000)),
      crash: () => this.crash(false),
      vanish: () => this.crash(true),
      accuse: () => this.pair((a, b) => this.cluster.accuse(a, b)),
      join: () => this.join(),
      roll: () => this.roll(),
      flap: () => this.flap(),
      partition: () => this.partition(),
    };
    for (const [kind, meanMs] of Object.entries(this.swarm.faults)) {
      if (meanMs > 0) this.repeat(meanMs, acts[kind as keyof Faults]);
    }
  }

  /** Nothing new goes wrong, and every way is free again; a stall that has begun still lasts its time. */
  stop(): void {
    this.stopped = true;
    this.cluster.note('world', 'the faults stop');
    this.cluster.world.network.releaseAll();
    const addresses = this.cluster.sites.filter((site) => this.cluster.isUp(site)).map((site) => site.address);
    for (const node of this.cluster.nodes) this.time.at(this.time.now, node, () => node.mesh.addSeeds(addresses));
  }

  get busy(): boolean {
    return this.rolling;
  }

  private repeat(meanMs: number, act: () => void): void {
    this.time.at(this.time.now + this.random.exponential(meanMs), null, () => {
      if (this.stopped) return;
      act();
      this.repeat(meanMs, act);
    });
  }

  private site(): Site {
    return this.random.pick(this.cluster.sites);
  }

  private pair(act: (a: Site, b: Site) => void): void {
    const a = this.site();
    const b = this.site();
    if (a !== b) act(a, b);
  }

  /** Nothing moves on these ways for a while; then it does, or the links break. */
  private hold(ways: readonly (readonly [Site, Site])[], ms: number, lanes?: readonly Lane[]): void {
    for (const [from, to] of ways) this.cluster.hold(from, to, lanes);
    const resets = this.random.chance(0.3);
    this.time.at(this.time.now + ms, null, () => {
      if (this.stopped) return;
      for (const [from, to] of ways) {
        if (resets) this.cluster.reset(from, to);
        this.cluster.release(from, to);
      }
    });
  }

  /** Sometimes only one side learns that their links broke. */
  private oneWay(a: Site, b: Site): void {
    const longest = this.swarm.profile === 'races' ? 1500 : 6000;
    this.hold([[a, b]], this.random.scaled(20, longest));
    if (this.random.chance(0.2))
      this.time.at(this.time.now + this.random.scaled(1, 100), null, () => this.cluster.reset(a, b));
  }

  private clog(a: Site, b: Site): void {
    const ways: [Site, Site][] = [
      [a, b],
      [b, a],
    ];
    const lanes = this.more.chance(0.3) ? [this.more.pick(['control', 'data'] as const)] : undefined;
    this.hold(ways, this.random.scaled(50, 3000), lanes);
  }

  /** A node's network trembles: it loses one peer and stops reaching another, of which it hears that it is dead: see `greeted`. */
  private flap(): void {
    const [one, other, c] = this.more.shuffle([...this.cluster.sites]);
    if (c === undefined) return;
    // The lower name dials, and so is the one that greets.
    const [a, b] = one.nodeId < other.nodeId ? [one, other] : [other, one];
    this.hold([[a, c]], this.more.scaled(20, 1500));
    this.cluster.reset(a, b);
    this.rumour = { at: a, victim: c };
  }

  /** A HELLO of that site has arrived: in the middle of its handshake is when news hurts most. */
  greeted(from: Site): void {
    const rumour = this.rumour;
    if (this.stopped || rumour?.at !== from) return;
    this.rumour = null;
    this.cluster.accuse(rumour.at, rumour.victim);
  }

  private crash(silent: boolean): void {
    const site = this.site();
    if (!this.cluster.isUp(site) || this.cluster.nodes.length < 2) return;
    this.cluster.crash(site, silent);
    if (this.random.chance(0.8)) this.startLater(site, this.random.scaled(20, 5000));
  }

  private startLater(site: Site, ms: number): void {
    this.time.at(this.time.now + ms, null, () => {
      if (!this.cluster.isUp(site)) this.cluster.start(site, this.seedsFor(site));
    });
  }

  /** A few sites, somebody alive among them. */
  seedsFor(site: Site): Site[] {
    const others = this.random.shuffle(this.cluster.sites.filter((other) => other !== site));
    const up = others.find((other) => this.cluster.isUp(other));
    const seeds = others.slice(0, this.random.whole(1, MAX_SEEDS));
    if (up !== undefined && !seeds.includes(up)) seeds[0] = up;
    return seeds;
  }

  private join(): void {
    for (let left = this.random.whole(1, 4); left > 0 && this.spare > 0; left--) {
      this.spare--;
      const site = this.cluster.addSite();
      this.startLater(site, this.random.chance(0.5) ? 0 : this.random.scaled(1, 500));
    }
  }

  /** One node, or all of them one after the other, leaves and comes back. */
  private roll(): void {
    if (this.rolling || this.cluster.nodes.length < 2) return;
    this.rolling = true;
    const all = this.random.chance(0.3);
    const sites = this.random.shuffle(this.cluster.sites.filter((site) => this.cluster.isUp(site)));
    this.rollNext(all ? sites : sites.slice(0, 1));
  }

  private rollNext(sites: readonly Site[]): void {
    const [site, ...rest] = sites;
    if (site === undefined || this.stopped || !this.cluster.isUp(site) || this.cluster.nodes.length < 2) {
      this.rolling = false;
      return;
    }
    this.restart(site, () => this.rollNext(rest));
  }

  private restart(site: Site, then: () => void): void {
    const { cluster, time } = this;
    const leaving = site.node;
    const deadline = time.now + 30_000;
    cluster.leave(
      site,
      (node) => this.workload.drain(node),
      () => this.startLater(site, this.random.scaled(1, 1000)),
    );
    const look = (): void => {
      const back = site.node !== leaving && (!cluster.isUp(site) || site.node!.mesh.phase !== 'joining');
      if (back || time.now > deadline) then();
      else time.at(time.now + 20, null, look);
    };
    look();
  }

  private partition(): void {
    const sites = this.random.shuffle([...this.cluster.sites]);
    const side = sites.slice(0, this.random.whole(1, Math.max(1, sites.length - 1)));
    const ways: [Site, Site][] = [];
    for (const a of side) {
      for (const b of sites) if (!side.includes(b)) ways.push([a, b], [b, a]);
    }
    this.hold(ways, this.random.scaled(500, 9000));
  }
}
