/**
 * Spreads news about members: along with probes, to a few random members per interval while there is news, and by exchanging
 * the whole table with one random member now and then, which heals whatever got lost. At rest it sends nothing but that.
 */
import type { MemberRecord, MembershipFrame } from './frames.js';
import { GossipQueue, retransmits } from './gossip.js';
import type { Cancel, Clock, Random } from './ports.js';
import type { Timings } from './profiles.js';
import { sample, shuffled } from './sample.js';

export interface SpreadRoles {
  readonly clock: Clock;
  readonly random: Random;
  send(nodeId: string, frame: MembershipFrame): boolean;
  others(): readonly string[];
  records(): readonly MemberRecord[];
}

export class Spread {
  private readonly queue = new GossipQueue();
  private cancelGossip: Cancel | null = null;
  private cancelExchange: Cancel = () => {};
  private running = false;

  constructor(
    private readonly timings: Timings,
    private readonly roles: SpreadRoles,
  ) {}

  start(): void {
    this.running = true;
    this.exchangeAfter(this.timings.stateExchangeMs * this.roles.random.fraction());
    this.arm();
  }

  stop(): void {
    this.running = false;
    this.cancelGossip?.();
    this.cancelGossip = null;
    this.cancelExchange();
  }

  add(record: MemberRecord): void {
    this.queue.add(record);
    this.arm();
  }

  /** News to send along with a frame. */
  take(): MemberRecord[] {
    const limit = retransmits(this.timings.retransmitMultiplier, this.roles.others().length + 1);
    return this.queue.take(this.timings.gossipBytes, limit);
  }

  private arm(): void {
    if (!this.running || this.cancelGossip !== null || this.queue.size === 0) return;
    this.cancelGossip = this.roles.clock.after(this.timings.gossipIntervalMs, () => {
      this.cancelGossip = null;
      this.gossip();
      this.arm();
    });
  }

  /** A member without a session costs no transmission: the next one gets its frame. */
  private gossip(): void {
    let left = this.timings.gossipFanout;
    let updates: readonly MemberRecord[] = [];
    for (const nodeId of sample(this.roles.others(), 2 * left, this.roles.random)) {
      if (updates.length === 0) updates = this.take();
      if (left === 0 || updates.length === 0) return;
      if (!this.roles.send(nodeId, { kind: 'gossip', updates })) continue;
      left -= 1;
      updates = [];
    }
  }

  private exchangeAfter(ms: number): void {
    this.cancelExchange = this.roles.clock.after(ms, () => {
      const members = this.roles.records();
      shuffled(this.roles.others(), this.roles.random).some((nodeId) =>
        this.roles.send(nodeId, { kind: 'state', reply: false, members }),
      );
      this.exchangeAfter(this.timings.stateExchangeMs * (0.9 + 0.2 * this.roles.random.fraction()));
    });
  }
}
