/**
 * What each node's view was and is, watched from outside: who removed whom and when, and who could not have known of whom.
 * The conditions of the guarantee (ROUTING.md "Coverage") are read from here.
 */
import type { Frame } from '../core/frames.js';
import type { Cluster } from './cluster.js';
import { type Ledger, type Moment, NEVER } from './ledger.js';
import type { SimNode } from './node.js';

interface Absence {
  readonly from: Moment;
  to: Moment;
}

/** One node's sight of the others. */
interface Sight {
  digest: string;
  view: Set<SimNode>;
  /** When it first had a process in its view, and from when until when it had removed it. */
  readonly first: Map<SimNode, Moment>;
  readonly away: Map<SimNode, Absence[]>;
  /** Processes that it was told were dead before it became ready. */
  readonly heardDead: Set<SimNode>;
  /** Ready processes that it could not know when it became ready: no chain of views led to them, or they were held for dead. */
  readonly apart: Set<SimNode>;
}

export class Views {
  private readonly sights = new Map<SimNode, Sight>();

  constructor(
    private readonly cluster: Cluster,
    private readonly ledger: Ledger,
  ) {}

  /** Looks at a node after its turn. */
  observe(node: SimNode): void {
    const digest = node.mesh.digest();
    const sight = this.sight(node);
    if (sight.digest === digest) return;
    sight.digest = digest;
    const before = sight.view;
    sight.view = new Set([node]);
    for (const peer of node.mesh.members()) {
      const other = this.cluster.ofBoot(peer.boot);
      if (other !== undefined) sight.view.add(other);
    }
    const moment = this.ledger.moment();
    for (const other of sight.view) {
      if (!sight.first.has(other)) sight.first.set(other, moment);
      else if (!before.has(other)) sight.away.get(other)!.at(-1)!.to = moment;
    }
    for (const other of before) {
      if (sight.view.has(other)) continue;
      const absence = { from: moment, to: NEVER };
      const absences = sight.away.get(other);
      if (absences) absences.push(absence);
      else sight.away.set(other, [absence]);
    }
    const { trace } = this.cluster.world;
    trace.mixText(digest);
    if (trace.recording) {
      const names = [...sight.view].map((other) => other.name).sort();
      this.cluster.note(node.name, `has view ${digest.slice(0, 6)}: ${names.join(' ')}`);
    }
  }

  /** A frame arrives: what a joining node hears of the dead. */
  see(to: SimNode, frame: Frame): void {
    if (this.ledger.readyAt.has(to)) return;
    const records = 'members' in frame ? frame.members : 'updates' in frame ? frame.updates : [];
    for (const { boot, state } of records) {
      const dead = state === 'dead' ? this.cluster.ofBoot(boot) : undefined;
      if (dead !== undefined) this.sight(to).heardDead.add(dead);
    }
  }

  /** A node became ready: whom it could not know, it need not. */
  ready(node: SimNode): void {
    const reached = new Set<SimNode>([node]);
    for (const next of reached) for (const other of this.sight(next).view) if (other.alive) reached.add(other);
    for (const other of this.cluster.nodes) {
      if (!this.ledger.readyAt.has(other) || this.sight(node).view.has(other)) continue;
      if (reached.has(other) && !this.sight(node).heardDead.has(other)) continue;
      this.sight(node).apart.add(other);
      this.sight(other).apart.add(node);
    }
  }

  /** The process of that name that runs now has become ready. */
  isReady(nodeId: string): boolean {
    return this.cluster.nodes.some((node) => node.nodeId === nodeId && this.ledger.readyAt.has(node));
  }

  /** One of the two had removed the other at some moment in between, or they were of two meshes that had not met by `from`. */
  parted(a: SimNode, b: SimNode, from: Moment, to: Moment): boolean {
    return this.away(a, b, from, to) || this.away(b, a, from, to) || this.strangers(a, b, from);
  }

  private away(a: SimNode, b: SimNode, from: Moment, to: Moment): boolean {
    return (
      this.sight(a)
        .away.get(b)
        ?.some((absence) => absence.from <= to && absence.to > from) ?? false
    );
  }

  private strangers(a: SimNode, b: SimNode, at: Moment): boolean {
    if (!this.sight(a).apart.has(b)) return false;
    return (this.sight(a).first.get(b) ?? NEVER) > at || (this.sight(b).first.get(a) ?? NEVER) > at;
  }

  private sight(node: SimNode): Sight {
    let sight = this.sights.get(node);
    if (sight === undefined) {
      sight = {
        digest: '',
        view: new Set([node]),
        first: new Map(),
        away: new Map(),
        heardDead: new Set(),
        apart: new Set(),
      };
      this.sights.set(node, sight);
    }
    return sight;
  }
}
