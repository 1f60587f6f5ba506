/**
 * Leases seen from outside (ROUTING.md rule 9): by when every owner has let go of the copies that it granted, from the
 * answers on the wire, against what their holders still use.
 */
import type { Frame } from '../core/frames.js';
import { DEFAULTS, type Tuning } from '../core/options.js';
import type { Ledger } from './ledger.js';
import type { SimNode } from './node.js';
import type { VirtualTime } from './time.js';

/** An owner keeps its record that much longer than the holder its copy. */
const DRIFT = 1.1;

export class LeaseWatch {
  /** Channel of each question under way, by asker and number. */
  private readonly questions = new Map<SimNode, Map<number, string>>();
  /** When the last owner lets go, in true time, by holder and channel. */
  private readonly ends = new Map<SimNode, Map<string, number>>();
  private readonly graceMs: number;

  constructor(
    private readonly time: VirtualTime,
    private readonly ledger: Ledger,
    /** The process that now has that name. */
    private readonly named: (nodeId: string) => SimNode,
    tuning: Partial<Tuning>,
  ) {
    this.graceMs = tuning.leaseGraceMs ?? DEFAULTS.leaseGraceMs;
  }

  /** A frame arrives. */
  see(to: SimNode, from: SimNode, frame: Frame, sentAt: number): void {
    if (frame.kind === 'relay') {
      for (const inner of frame.frames) this.see(this.named(frame.to), this.named(frame.from), inner, sentAt);
    } else if (frame.kind === 'lookup') {
      numbered(this.questions, from).set(frame.id, frame.channel);
    } else if (frame.kind === 'lookupAnswer') {
      const asked = numbered(this.questions, to);
      const channel = asked.get(frame.id);
      asked.delete(frame.id);
      if (channel === undefined || frame.leaseMs === 0) return;
      const end = sentAt + (frame.leaseMs * DRIFT + this.graceMs) / from.site.clockRate;
      const ends = numbered(this.ends, to);
      ends.set(channel, Math.max(end, ends.get(channel) ?? 0));
    }
  }

  check(node: SimNode, channels: Iterable<string>): void {
    const ends = this.ends.get(node);
    if (ends === undefined || node.mesh.counts().leasesHeld === 0) return;
    for (const channel of channels) {
      if (!ends.has(channel) || ends.get(channel)! >= this.time.now) continue;
      const { route } = node.mesh.explain(channel);
      if (route.some(({ why }) => why === 'lease'))
        this.ledger.breach('leases end', `${node.name} uses its lease after every owner let it go`, channel);
    }
  }
}

function numbered<K, V>(maps: Map<SimNode, Map<K, V>>, node: SimNode): Map<K, V> {
  let map = maps.get(node);
  if (map === undefined) {
    map = new Map();
    maps.set(node, map);
  }
  return map;
}
