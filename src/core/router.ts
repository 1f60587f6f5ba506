/**
 * The way of a publish: publish → route → forward → deliver → counts. Read from top to bottom.
 * A message from a peer is delivered here and goes no further. Rules 1, 6, 7, 13, 14 and 17.
 */
import { Budget } from './budget.js';
import { type Channel, type Channels, NO_ROWS, type Row } from './channels.js';
import type { Publish } from './frames.js';
import type { Forwarding, Queued } from './lookup.js';
import type { Message, PublishResult } from './message.js';
import type { Counted } from './outbox.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import { Pending } from './pending.js';
import type { Cancel, Delivered, Ports } from './ports.js';
import type { RuleName } from './rules.js';

/** The local subscribers (subscribers.ts). */
export interface Here {
  deliver(channel: Channel | undefined, message: Message): Delivered;
}

/** Look-ups and leases, for channels that this node does not own (lookup.ts). */
export interface Away {
  /** Null, or why the publish cannot wait for its look-up. */
  publish(channel: Channel, queued: Queued): string | null;
}

export interface RouterLimits {
  readonly publishTimeoutMs: number;
  readonly floodsPerSecond: number;
  readonly floodBurst: number;
  readonly replicateAllUpTo: number;
}

/** How often publishes are looked at for being over their time, as a share of that time. */
const EXPIRY_STEPS = 20;
/** One in so many publishes is timed for the histogram. */
const TIMED = 16;

export class Router implements Forwarding {
  private published = 0;
  private accepted = 0;
  private readonly floods: Budget;
  /** Ends the looking for publishes over their time. */
  stop: Cancel = () => {};

  constructor(
    private readonly channels: Channels,
    private readonly peers: Peers,
    private readonly here: Here,
    private readonly away: Away,
    private readonly ports: Pick<Ports, 'clock' | 'meter'>,
    private readonly limits: RouterLimits,
    private readonly without: RuleName | undefined,
  ) {
    this.floods = new Budget(limits.floodsPerSecond, limits.floodBurst, ports.clock.now());
  }

  // ── publish: enter the mesh ──

  /** `done` gets the counts, once, perhaps before this returns; null when nobody wants them. Returns why it is not accepted, or null. */
  publish(message: Message, done: ((result: PublishResult) => void) | null): string | null {
    const pending = done === null ? null : new Pending(this.accepted++ % TIMED === 0 ? this.timed(done) : done);
    const channel = this.channels.find(message.channel);
    const problem = this.route(channel, { message, pending, at: this.ports.clock.now() });
    if (problem !== null) return problem;
    this.published++;
    const { success, fail } = this.here.deliver(channel, message);
    pending?.settle(success, fail);
    return null;
  }

  private timed(done: (result: PublishResult) => void): (result: PublishResult) => void {
    const began = this.ports.clock.now();
    return (result) => {
      this.ports.meter.observe('publish_seconds', (this.ports.clock.now() - began) / 1000);
      done(result);
    };
  }

  // ── route: decide the nodes (rules 6 and 7) ──

  /** An owner asks nobody; everybody else goes by a lease or a look-up, and so does who waits behind one. */
  private route(channel: Channel | undefined, queued: Queued): string | null {
    if (!channel?.publisher?.queue.length) {
      if (this.peers.inView.length === 0) return null;
      if (this.peers.ownsAll || (channel !== undefined && this.peers.owns(channel))) {
        if (this.sendAsOwner(channel, queued)) return null;
      }
    }
    return this.away.publish(channel ?? this.channels.get(queued.message.channel), queued);
  }

  /** The directory's rows, and every member whose sync mark is not this view. */
  sendAsOwner(channel: Channel | undefined, queued: Queued): boolean {
    const synced = this.without === 'unsynced-members-included';
    const doubtful = synced ? this.peers.mismatched() : this.peers.unsynced();
    if (this.isWide(doubtful) && !this.mayFlood()) return false;
    this.sendToBoth(channel?.rows ?? NO_ROWS, doubtful, queued);
    return true;
  }

  /** The rows of an answer, and every member that announced another view. */
  sendTo(rows: readonly Row[], queued: Queued): boolean {
    const doubtful = this.without === 'mismatched-announcements-included' ? [] : this.peers.mismatched();
    if (this.isWide(doubtful) && !this.mayFlood()) return false;
    this.sendToBoth(rows, doubtful, queued);
    return true;
  }

  sendToAll(queued: Queued): boolean {
    if (!this.mayFlood()) return false;
    this.sendToBoth(NO_ROWS, this.peers.inView, queued);
    return true;
  }

  giveUp({ pending }: Queued): void {
    for (const { nodeId } of this.peers.inView) {
      pending?.expect();
      pending?.unconfirm(nodeId, 1);
    }
  }

  /** Most of a large view: such sends are floods, as those to all of it. */
  private isWide(peers: readonly Peer[]): boolean {
    return peers.length > this.limits.replicateAllUpTo && peers.length * 2 > this.peers.inView.length;
  }

  /** Floods are budgeted (rule 17); each that may be sent is sent. */
  private mayFlood(): boolean {
    const may = this.floods.take(this.ports.clock.now());
    if (may) this.ports.meter.count('floods_total');
    return may;
  }

  private sendToBoth(interested: readonly Row[], doubtful: readonly Peer[], { message, pending }: Queued): void {
    const now = this.ports.clock.now();
    const patterns = this.channels.matching(message.channel);
    const rows = patterns.length === 0 ? interested : withPatterns(interested, patterns);
    for (const row of rows) {
      if (row.peer.mayBeOwed) this.forward(row.peer, row, message, now, pending);
    }
    for (const peer of doubtful) {
      if (peer.mayBeOwed && !rows.some((row) => row.peer === peer)) this.forward(peer, null, message, now, pending);
    }
  }

  // ── forward: one frame per node, sent at the end of the turn ──

  private forward(peer: Peer, row: Counted | null, message: Message, now: number, pending: Pending | null): void {
    const { channel, binary, data } = message;
    const open = peer.session !== null;
    if (open || peer.resumable) {
      // Without a session it waits for the session's return, but its counts are not waited for (rules 13 and 16).
      const taken = peer.outbox.publish(channel, binary, data, now, open ? pending : null, row);
      if (!taken) this.ports.meter.count('drops_total', 1, 'peer_queue_full');
      if (taken && open) return;
    }
    pending?.expect();
    pending?.unconfirm(peer.nodeId, row?.lastCount ?? 1);
  }

  // ── deliver: hand to the local subscribers ──

  /** A publish that came from a peer. */
  onPublish(peer: Peer, frame: Publish): void {
    const { success, fail } = this.here.deliver(this.channels.find(frame.channel), frame);
    peer.inbox.count(success, fail);
  }

  // ── counts: summed by pending.ts as the peers' acknowledgements come in (outbox.ts), or given up here ──

  start(): void {
    const { publishTimeoutMs } = this.limits;
    this.stop = this.ports.clock.after(publishTimeoutMs / EXPIRY_STEPS, () => this.start());
    const limit = this.ports.clock.now() - publishTimeoutMs;
    for (const peer of this.peers.all()) peer.outbox.expire(limit);
    this.tellMeter();
  }

  private tellMeter(): void {
    if (this.published > 0) this.ports.meter.count('publishes_total', this.published);
    this.published = 0;
  }
}

/**
 * The rows, and those of nodes with a matching pattern. What is known of patterns here is valid for every member that announced
 * this node's view (interest.ts `tellPatterns`), and the others are sent to anyway.
 */
function withPatterns(rows: readonly Row[], patterns: readonly Channel[]): readonly Row[] {
  const byPeer = new Map(rows.map((row) => [row.peer, row]));
  for (const pattern of patterns) {
    for (const row of pattern.rows) if (!byPeer.has(row.peer)) byPeer.set(row.peer, row);
  }
  return [...byPeer.values()];
}
