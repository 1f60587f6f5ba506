/**
 * The join gate (rule 12): from the first dial to "ready". A node that is not through it neither takes clients nor publishes
 * nor acknowledges, because nobody would know that it must be sent to.
 */
import type { Peers } from './peers.js';
import type { Clock } from './ports.js';
import type { DialEnd } from './session.js';

export interface GateLimits {
  readonly seedsRefusedMs: number;
  readonly seedsUnreachableMs: number;
}

export class Gate {
  /** How the last dial of each seed ended; null before the first end. */
  private readonly seeds = new Map<string, DialEnd | null>();
  private startedAt = 0;

  constructor(
    private readonly peers: Peers,
    private readonly clock: Clock,
    private readonly limits: GateLimits,
    /** True from the beginning leaves the rule `join-gate` out. */
    public open: boolean,
  ) {}

  start(seeds: readonly string[]): void {
    this.startedAt = this.clock.now();
    this.addSeeds(seeds);
  }
  /** Once somebody was met, a further seed is kept for healing only and not dialed. */
  addSeeds(seeds: readonly string[]): void {
    const end = this.peers.inView.length > 0 ? 'unreachable' : null;
    for (const seed of seeds) if (!this.seeds.has(seed)) this.seeds.set(seed, end);
  }
  seedList(): string[] {
    return [...this.seeds.keys()];
  }
  dialEnded(address: string, end: DialEnd): void {
    if (this.seeds.has(address)) this.seeds.set(address, end);
  }

  /** A dial of that seed may still bring something: nobody has been met yet. */
  needs(address: string): boolean {
    const end = this.seeds.get(address);
    return end !== undefined && end !== 'self' && this.peers.inView.length === 0;
  }

  /** Why it stays closed, in words; empty when this node may open it. */
  reasons(): string[] {
    const reasons = this.seedReasons();
    for (const peer of this.peers.inView) {
      if (peer.session === null) reasons.push(`no session with member ${peer.nodeId} at ${peer.record.address} yet`);
      else if (peer.acked !== this.peers.digest)
        reasons.push(`member ${peer.nodeId} did not acknowledge this node's view yet`);
    }
    return reasons;
  }

  /** The seed phase: each seed answered or failed, and somebody was met, or nobody is there to be met. */
  private seedReasons(): string[] {
    if (this.seeds.size === 0) return [];
    const ends = [...this.seeds.values()];
    const waiting = [...this.seeds].filter(([, end]) => end === null).map(([address]) => address);
    if (this.peers.inView.length > 0) {
      return waiting.length > 0 ? [`no answer from seed ${waiting.join(', ')} yet`] : [];
    }
    for (const [address, end] of this.seeds) {
      if (end === 'denied' || end === 'rejected') return [`seed ${address} refuses this node; see the log`];
    }
    const alone = ends.every((end) => end === 'refused' || end === 'self');
    const patience = alone ? this.limits.seedsRefusedMs : this.limits.seedsUnreachableMs;
    if (this.clock.now() - this.startedAt >= patience) return [];
    return [
      `no seed has answered yet: ${[...this.seeds].map(([address, end]) => `${address} ${end ?? 'dialing'}`).join(', ')}`,
    ];
  }
}
