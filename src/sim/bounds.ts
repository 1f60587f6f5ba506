/** What must hold at every moment of a run: limits are kept, and the flood budget is not overdrawn. */
import { DEFAULTS, type Tuning } from '../core/options.js';
import { PROFILES } from '../core/profiles.js';
import type { Ledger } from './ledger.js';
import type { SimNode } from './node.js';
import type { VirtualTime } from './time.js';

export class Bounds {
  private readonly tuning: Tuning;
  private readonly startedAt = new Map<SimNode, number>();

  constructor(
    private readonly time: VirtualTime,
    private readonly ledger: Ledger,
    tuning: Partial<Tuning>,
    /** Largest payload, and what a frame may add to it, in bytes. */
    private readonly slackBytes: number,
  ) {
    this.tuning = { ...DEFAULTS, ...tuning };
  }

  begin(node: SimNode): void {
    this.startedAt.set(node, this.time.now);
  }

  check(node: SimNode): void {
    const tuning = this.tuning;
    const counts = node.mesh.counts();
    this.atMost(node, 'leases granted', counts.leasesGranted, tuning.maxLeases);
    this.atMost(node, 'leases held', counts.leasesHeld, tuning.maxLeases);
    this.atMost(node, 'publishes waiting for look-ups', counts.publishesWaiting, tuning.lookupQueueTotal);
    this.atMost(node, 'tombstones', counts.tombstones, PROFILES[tuning.profile].tombstones);
    for (const peer of node.mesh.members()) {
      this.atMost(node, `frames queued for ${peer.nodeId}`, peer.queueFrames, tuning.queueFrames + 1);
      this.atMost(node, `bytes queued for ${peer.nodeId}`, peer.queueBytes, tuning.queueBytes + this.slackBytes);
    }
    const seconds = ((this.time.now - this.startedAt.get(node)!) * node.site.clockRate) / 1000;
    const budget = tuning.floodBurst + tuning.floodsPerSecond * seconds;
    this.atMost(node, 'whole-view sends', node.counters.get('floods_total') ?? 0, Math.ceil(budget));
  }

  private atMost(node: SimNode, what: string, is: number, limit: number): void {
    if (is > limit)
      this.ledger.breach('everything is bounded', `${node.name} has ${is} ${what}, the limit is ${limit}`);
  }
}
