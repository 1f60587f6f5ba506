/** The simulated mesh as a whole: which processes run, and everything that can be done to them from outside. */
import type { Frame, MemberRecord } from '../core/frames.js';
import type { Lane } from '../core/ports.js';
import type { Place } from './network.js';
import { SimNode, type Site, type World } from './node.js';
import type { SeededRandom } from './random.js';

export class Cluster {
  readonly sites: Site[] = [];
  /** Processes that run now. */
  nodes: SimNode[] = [];
  /** Calls that are to know of each new or ended process. */
  onStart: (node: SimNode) => void = () => {};
  onEnd: (node: SimNode) => void = () => {};
  private started = 0;
  private readonly byBoot = new Map<number, SimNode>();

  constructor(
    readonly world: World,
    private readonly random: SeededRandom,
    /** Slowest clock; any two differ by less than 10 % (ROUTING.md "The guarantee"). */
    private readonly slowestClock: number,
    private readonly fastestClock: number,
  ) {}

  addSite(): Site {
    const index = this.sites.length;
    const nodeId = `n${index + 1}`;
    const clockRate = this.random.between(this.slowestClock, this.fastestClock);
    const site: Site = { index, nodeId, address: `${nodeId}:6788`, node: null, clockRate };
    this.sites.push(site);
    return site;
  }

  place(site: Site): Place {
    return this.world.network.place(site.address);
  }

  isUp(site: Site): boolean {
    return site.node?.alive ?? false;
  }

  /** Starts a process; it knows these sites as its seeds. */
  start(site: Site, seeds: readonly Site[]): SimNode {
    const node = new SimNode(this.started++, site, this.world);
    site.node = node;
    this.nodes.push(node);
    this.byBoot.set(node.mesh.boot, node);
    this.note(node.name, `starts with seeds ${seeds.map((seed) => seed.nodeId).join(' ') || 'none'}`);
    this.onStart(node);
    this.world.time.turn(node, () => node.start(seeds.map((seed) => seed.address)));
    return node;
  }

  ofBoot(boot: number): SimNode | undefined {
    return this.byBoot.get(boot);
  }

  /** The process is killed. `silent`: its host goes with it, and nobody resets its links or refuses new ones. */
  crash(site: Site, silent: boolean): void {
    const { node } = site;
    if (!node?.alive) return;
    this.note(node.name, silent ? 'vanishes with its host' : 'is killed');
    this.end(node);
    this.world.network.kill(this.place(site), silent);
  }

  /** Leaves politely: its clients are closed by `drain`, then the process ends and `then` is called. */
  leave(site: Site, drain: (node: SimNode) => void, then: () => void): void {
    const { node } = site;
    if (!node?.alive) return;
    this.note(node.name, 'is asked to leave');
    const { time } = this.world;
    time.at(time.now, node, () => {
      node.mesh.leave(
        (drained) => {
          drain(node);
          time.at(time.now + this.random.between(0, 200), node, drained);
        },
        () => {
          // The process ends after this turn, when what was sent in it has left.
          time.at(time.now, node, () => {
            node.mesh.stop();
            this.note(node.name, 'has left');
            this.end(node);
            this.world.network.kill(this.place(site), false);
            then();
          });
        },
      );
    });
  }

  private end(node: SimNode): void {
    node.alive = false;
    this.nodes = this.nodes.filter((other) => other !== node);
    this.onEnd(node);
  }

  stall(site: Site, ms: number): void {
    if (!this.isUp(site)) return;
    const { node } = site;
    this.note(node!.name, `is stopped for ${ms.toFixed()} ms`);
    node!.stalledUntil = Math.max(node!.stalledUntil, this.world.time.now + ms);
  }

  /** Breaks all links between two sites. */
  reset(a: Site, b: Site): void {
    const { endpoint } = this.place(a);
    const to = this.place(b);
    this.note('network', `resets the links of ${a.nodeId} and ${b.nodeId}`);
    for (const wire of endpoint?.wires ?? []) {
      if (wire.acceptor?.place === to || wire.dialer.place === to) this.world.network.break(wire);
    }
  }

  /** Nothing moves there from now on; on these lanes only, where some are named. */
  hold(from: Site, to: Site, lanes?: readonly Lane[]): void {
    this.note('network', `holds ${from.nodeId} → ${to.nodeId} ${lanes?.join(' and ') ?? ''}`);
    this.world.network.hold(this.place(from), this.place(to), lanes);
  }

  release(from: Site, to: Site): void {
    this.note('network', `frees ${from.nodeId} → ${to.nodeId}`);
    this.world.network.release(this.place(from), this.place(to));
  }

  /** Somebody tells `at` that the process of `victim` is dead, though it lives. */
  accuse(at: Site, victim: Site): void {
    const node = at.node;
    if (!node?.alive || !victim.node?.alive) return;
    const link = node.endpoint.openLinks()[0];
    if (link === undefined) return;
    const accuser = this.sites.find((site) => site.address === link.to.address)?.nodeId ?? '';
    const record: MemberRecord = { ...victim.node.mesh.self(), state: 'dead', accuser };
    this.note('world', `${at.nodeId} hears that ${victim.nodeId} is dead`);
    const { time, events } = this.world;
    const rumour: Frame = { kind: 'gossip', updates: [record] };
    time.at(time.now, node, () => {
      events.heard(node, rumour);
      node.mesh.received(link.link, 'control', [rumour]);
    });
  }

  note(who: string, text: string): void {
    this.world.trace.note(this.world.time.now, who, text);
  }
}
