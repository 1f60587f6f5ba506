/** One process of the simulated mesh: a real Mesh of the core, with simulated ports around it. */
import type { Frame } from '../core/frames.js';
import { Mesh } from '../core/mesh.js';
import type { Message } from '../core/message.js';
import type { MeshOptions, Tuning } from '../core/options.js';
import type { Audience, Delivered, Log, Meter, Ports } from '../core/ports.js';
import type { RuleName } from '../core/rules.js';
import { SkewedClock } from './clock.js';
import type { Endpoint } from './endpoint.js';
import type { Network } from './network.js';
import { SeededRandom } from './random.js';
import type { TurnShape } from './swarm.js';
import type { Host, VirtualTime } from './time.js';
import type { Trace } from './trace.js';

/** Where processes of one name run, one after the other. */
export interface Site {
  readonly index: number;
  readonly nodeId: string;
  readonly address: string;
  /** The latest process; null before the first. */
  node: SimNode | null;
  /** What its clock does: milliseconds per true millisecond. */
  readonly clockRate: number;
}

/** What a node tells the rest of the simulation. */
export interface NodeEvents {
  delivered(node: SimNode, message: Message, audience: Audience): Delivered;
  gap(node: SimNode, channel: string | null, peer: string, why: string): void;
  ready(node: SimNode): void;
  /** It is told something that no other node said. */
  heard(node: SimNode, frame: Frame): void;
}

export interface World {
  readonly seed: number;
  readonly time: VirtualTime;
  readonly network: Network;
  readonly trace: Trace;
  readonly tuning: Partial<Tuning>;
  readonly turns: TurnShape;
  readonly without?: RuleName;
  readonly events: NodeEvents;
}

export class SimNode implements Host {
  alive = true;
  stalledUntil = 0;
  readonly mesh: Mesh;
  readonly endpoint: Endpoint;
  /** Counters of the Meter port, by name, and by name and label. */
  readonly counters = new Map<string, number>();
  private readonly clock: SkewedClock;
  private readonly chance: SeededRandom;
  /** The turn goes on; its end is an event of its own. */
  private inTurn = false;

  constructor(
    /** Number of the process in this run. */
    readonly index: number,
    readonly site: Site,
    private readonly world: World,
  ) {
    const random = new SeededRandom(world.seed, `node ${index}`);
    this.chance = new SeededRandom(world.seed, `turns ${index}`);
    this.clock = new SkewedClock(world.time, this, site.clockRate, random.between(0, 1e9));
    this.endpoint = world.network.listen(site.address, this);
    this.mesh = new Mesh(this.options(), this.ports(random));
    this.endpoint.attach(this.mesh);
    this.mesh.onGap((channel, peer, why) => world.events.gap(this, channel, peer, why));
  }

  get nodeId(): string {
    return this.site.nodeId;
  }

  /** Name for people: the second process at n3 is n3'2. */
  get name(): string {
    return `${this.site.nodeId}'${this.index}`;
  }

  start(seeds: readonly string[]): void {
    this.mesh.start(seeds, () => this.world.events.ready(this));
  }

  /** At once, or a little later: what arrives until then belongs to the same turn, as when a loop finds several reads ready. */
  endTurn(): void {
    const { time, turns } = this.world;
    while (this.clock.open && !this.inTurn) {
      if (turns.longShare === 0 || !this.chance.chance(turns.longShare)) this.clock.endTurn();
      else {
        this.inTurn = true;
        time.at(time.now + this.chance.between(0, turns.spanMs), this, () => {
          this.inTurn = false;
          this.clock.endTurn();
        });
      }
    }
  }

  private options(): MeshOptions {
    const { nodeId, address } = this.site;
    const { tuning, without } = this.world;
    return { node: { nodeId, address, api: '', version: 'simulated' }, tuning, without };
  }

  private ports(random: SeededRandom): Ports {
    const { events } = this.world;
    return {
      clock: this.clock,
      random,
      links: this.endpoint,
      sockets: {
        deliver: (audience: Audience, message: Message) => events.delivered(this, message, audience),
        joined: () => {},
        left: () => {},
      },
      log: this.log(),
      meter: this.meter(),
    };
  }

  private log(): Log {
    const { time, trace } = this.world;
    if (!trace.recording) return { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
    const note = (message: string, fields?: Readonly<Record<string, unknown>>): void =>
      trace.note(time.now, this.name, `log: ${message} ${fields === undefined ? '' : JSON.stringify(fields)}`);
    return { debug: () => {}, info: note, warn: note, error: note };
  }

  private meter(): Meter {
    const add = (key: string, by: number): void => {
      this.counters.set(key, (this.counters.get(key) ?? 0) + by);
    };
    return {
      count: (name, by = 1, label) => add(label === undefined ? name : `${name} ${label}`, by),
      observe: () => {},
    };
  }
}
