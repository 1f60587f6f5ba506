/**
 * Rows seen from outside (ROUTING.md rules 2, 4 and 6): an owner that answers for a channel names every member with an
 * acknowledged subscriber, because it has the member's row or no valid sync mark of it. Looked at whenever a row may have
 * gone or a mark come, and now and then for all. That it names nobody else is looked at when the mesh is whole (convergence.ts).
 */
import type { Frame } from '../core/frames.js';
import { isPatternName } from '../core/pattern.js';
import { type Ledger, NEVER, type SimSubscriber } from './ledger.js';
import type { SimNode } from './node.js';

export class RowWatch {
  /** Members whose frame of this turn may have cost a row. */
  private readonly due = new Map<SimNode, Set<SimNode>>();

  constructor(
    private readonly ledger: Ledger,
    /** The process that now has that name; undefined for one that does not run. */
    private readonly named: (nodeId: string) => SimNode | undefined,
    private readonly subscribersOf: (node: SimNode) => readonly SimSubscriber[],
  ) {}

  /** A frame arrives. */
  see(to: SimNode, from: SimNode, frame: Frame): void {
    if (frame.kind === 'relay') {
      const owner = this.named(frame.to);
      const member = this.named(frame.from);
      if (owner !== to || member === undefined) return;
      for (const inner of frame.frames) this.see(owner, member, inner);
    } else if (frame.kind === 'sync' || (frame.kind === 'register' && frame.entries.some(({ on }) => !on))) {
      const members = this.due.get(to);
      if (members === undefined) this.due.set(to, new Set([from]));
      else members.add(from);
    }
  }

  /** After a turn of that node. */
  look(owner: SimNode): void {
    const members = this.due.get(owner);
    if (members === undefined) return;
    this.due.delete(owner);
    for (const member of members) {
      const channels = this.acknowledged(member);
      if (channels.size > 0 && met(member).has(owner.mesh.boot) && met(owner).has(member.mesh.boot))
        for (const channel of channels) this.compare(owner, member, channel);
    }
  }

  check(nodes: readonly SimNode[]): void {
    const sight = new Map(nodes.map((node) => [node, met(node)]));
    for (const member of nodes) {
      for (const channel of this.acknowledged(member)) {
        for (const nodeId of member.mesh.explain(channel).owners) {
          const owner = this.named(nodeId);
          if (owner === undefined || !sight.get(member)!.has(owner.mesh.boot)) continue;
          if (sight.get(owner)!.has(member.mesh.boot)) this.compare(owner, member, channel);
        }
      }
    }
  }

  /** Channels with a subscriber there who was told that the whole mesh knows. */
  private acknowledged(member: SimNode): ReadonlySet<string> {
    const channels = new Set<string>();
    if (!member.alive) return channels;
    for (const { subscriptions } of this.subscribersOf(member)) {
      for (const { channel, ackedAt, degraded } of subscriptions.values())
        if (ackedAt !== NEVER && !degraded && !isPatternName(channel)) channels.add(channel);
    }
    return channels;
  }

  /** Both have each other in their views: else the member may have been acknowledged by other owners. */
  private compare(owner: SimNode, member: SimNode, channel: string): void {
    const { owners, route } = owner.mesh.explain(channel);
    if (!owners.includes(owner.nodeId) || route.some(({ nodeId }) => nodeId === member.nodeId)) return;
    const text = `owner ${owner.name} has a sync mark of ${member.name}, but no row of its acknowledged subscription`;
    this.ledger.breach('a sync mark means all rows', text, channel);
  }
}

/** Processes in the view of that node that it has met, by boot. */
function met(node: SimNode): ReadonlySet<number> {
  return new Set(
    node.mesh
      .members()
      .filter(({ mayBeOwed }) => mayBeOwed)
      .map(({ boot }) => boot),
  );
}
