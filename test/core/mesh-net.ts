/** A few Meshes in one process: an in-memory network with a latency, links that can be cut, and subscribers that remember. */

import type { Frame } from '../../src/core/frames.js';
import { Mesh } from '../../src/core/mesh.js';
import type { PublishResult, SubscribeOutcome } from '../../src/core/message.js';
import type { Tuning } from '../../src/core/options.js';
import type { Lane, LinkEnd, LinkId, Links, Sockets, Subscriber } from '../../src/core/ports.js';
import type { RuleName } from '../../src/core/rules.js';
import { seeded } from './flock.js';
import { VirtualClock } from './virtual-clock.js';

const nothing = (): void => {};

interface End {
  readonly node: TestNode;
  readonly link: LinkId;
  other: End | null;
  open: boolean;
}

/** A subscriber that keeps what it got, as text. */
export class Listener implements Subscriber {
  readonly got: string[] = [];
  constructor(readonly id: string) {}
}

export class TestNode {
  readonly mesh: Mesh;
  readonly gaps: string[] = [];
  readonly counted = new Map<string, number>();
  readonly ends = new Map<LinkId, End>();
  alive = true;
  ready = false;
  private clients = 0;

  constructor(
    readonly net: MeshNet,
    readonly name: string,
    tuning: Partial<Tuning>,
    without?: RuleName,
  ) {
    const links: Links = {
      dial: (address) => net.dial(this, address),
      send: (link, lane, frames) => net.send(this, link, lane, frames),
      close: (link) => net.close(this, link),
    };
    const sockets: Sockets = {
      deliver: ({ subscribers }, { data }) => {
        for (const one of subscribers) (one as Listener).got.push(new TextDecoder().decode(data));
        return { success: subscribers.size, fail: 0 };
      },
      joined: nothing,
      left: nothing,
    };
    const log = { debug: nothing, info: nothing, warn: nothing, error: nothing };
    const clock = {
      now: () => net.clock.now(),
      after: (ms: number, fn: () => void) => net.clock.after(ms, () => this.alive && fn()),
      endOfTurn: (fn: () => void) => net.clock.endOfTurn(() => this.alive && fn()),
    };
    const count = (name: string, by = 1) => void this.counted.set(name, (this.counted.get(name) ?? 0) + by);
    const meter = { count, observe: nothing };
    const node = { nodeId: name, address: `${name}:1`, api: '', version: '1' };
    this.mesh = new Mesh({ node, tuning, without }, { clock, random: net.random, links, sockets, log, meter });
    this.mesh.onGap((channel, peer, why) => this.gaps.push(`${channel} ${peer}: ${why}`));
  }

  subscribe(channel: string): { listener: Listener; outcome: SubscribeOutcome | null } {
    const listener = new Listener(`${this.name}-${++this.clients}`);
    const state: { listener: Listener; outcome: SubscribeOutcome | null } = { listener, outcome: null };
    this.mesh.subscribe(listener, channel, (outcome) => {
      state.outcome = outcome;
    });
    return state;
  }

  publish(channel: string, text: string): { error: string | null; result: PublishResult | null } {
    const state: { error: string | null; result: PublishResult | null } = { error: null, result: null };
    state.error = this.mesh.publish(channel, new TextEncoder().encode(text), false, (result) => {
      state.result = result;
    });
    return state;
  }
}

export class MeshNet {
  readonly clock = new VirtualClock();
  readonly random = seeded(7);
  readonly nodes = new Map<string, TestNode>();
  /** "a>b": frames from a to b are lost, and a cannot dial b. */
  readonly cut = new Set<string>();
  latencyMs = 1;
  frames = 0;
  private lastLink = 0;

  constructor(
    readonly tuning: Partial<Tuning> = {},
    readonly without?: RuleName,
  ) {}

  start(name: string, seeds: readonly string[]): TestNode {
    const node = new TestNode(this, name, this.tuning, this.without);
    this.nodes.set(`${name}:1`, node);
    node.mesh.start(
      seeds.map((seed) => `${seed}:1`),
      () => {
        node.ready = true;
      },
    );
    return node;
  }

  /** `count` nodes that joined through the first one: n0, n1 … */
  cluster(count: number): TestNode[] {
    const nodes = Array.from({ length: count }, (_, i) => this.start(`n${i}`, i === 0 ? [] : ['n0']));
    this.run(3000);
    return nodes;
  }

  run(ms: number): void {
    this.clock.advance(ms);
  }

  /** A cluster of 12 in which the first of these nodes published often enough for a lease; neither owns the channel. */
  leased(channel: string): readonly TestNode[] {
    const nodes = this.cluster(12);
    const { owners } = nodes[0].mesh.explain(channel);
    const others = nodes.filter((node) => !owners.includes(node.name));
    for (let i = 0; i < 10; i++) {
      others[0].publish(channel, `${i}`);
      this.run(20);
    }
    return others;
  }

  /** kill -9: the host answers for it with resets and refusals. */
  kill(node: TestNode): void {
    node.alive = false;
    for (const end of node.ends.values()) this.breakEnd(end, 'reset');
    node.ends.clear();
  }

  /** Breaks every link between two nodes. */
  breakLinks(a: TestNode, b: TestNode): void {
    for (const end of [...a.ends.values()]) {
      if (end.other?.node !== b) continue;
      this.breakEnd(end, 'reset');
      a.ends.delete(end.link);
      end.open = false;
      this.later(a, () => a.mesh.closed(end.link, 'reset', 'broken by the test'));
    }
  }

  dial(node: TestNode, address: string): LinkId {
    const link = ++this.lastLink;
    const mine: End = { node, link, other: null, open: true };
    node.ends.set(link, mine);
    const target = this.nodes.get(address);
    const blocked =
      target && (this.cut.has(`${node.name}>${target.name}`) || this.cut.has(`${target.name}>${node.name}`));
    if (target === undefined || !target.alive || blocked) {
      const end = blocked ? 'unreachable' : 'refused';
      this.later(node, () => node.ends.delete(link) && node.mesh.closed(link, end, 'test'));
      return link;
    }
    this.later(target, () => {
      if (!mine.open) return;
      const theirs: End = { node: target, link: ++this.lastLink, other: mine, open: true };
      mine.other = theirs;
      target.ends.set(theirs.link, theirs);
      target.mesh.opened(theirs.link, null, node.name);
      this.later(node, () => mine.open && node.mesh.opened(link, address, address));
    });
    return link;
  }

  send(node: TestNode, link: LinkId, lane: Lane, frames: readonly Frame[]): boolean {
    const end = node.ends.get(link);
    const other = end?.other;
    if (!end?.open || !other) return false;
    this.frames += frames.length;
    if (this.cut.has(`${node.name}>${other.node.name}`)) return true;
    this.later(other.node, () => other.open && other.node.mesh.received(other.link, lane, frames));
    return true;
  }

  close(node: TestNode, link: LinkId): void {
    const end = node.ends.get(link);
    if (end === undefined) return;
    node.ends.delete(link);
    this.breakEnd(end, 'ended');
  }

  private breakEnd(end: End, how: LinkEnd): void {
    end.open = false;
    const { other } = end;
    if (other === null) return;
    this.later(other.node, () => {
      if (!other.open) return;
      other.open = false;
      other.node.ends.delete(other.link);
      other.node.mesh.closed(other.link, how, 'test');
    });
  }

  private later(node: TestNode, fn: () => void): void {
    this.clock.after(this.latencyMs, () => {
      if (node.alive) fn();
    });
  }
}
