/**
 * The way of a publish: publish → route → forward → deliver → counts. Read from top to bottom.
 * A message from a peer is delivered here and goes no further. Rules 1, 6, 7, 13 and 14.
 */
import type { Channel, Channels } from './channels.js';
import type { Publish } from './frames.js';
import type { Message, PublishResult } from './message.js';
import type { Counted } from './outbox.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import { Pending } from './pending.js';
import type { Clock, Delivered, Meter } from './ports.js';

/** The local subscribers (subscribers.ts). */
export interface Here {
  deliver(channel: Channel | undefined, message: Message): Delivered;
}

export interface RouterLimits {
  readonly publishTimeoutMs: number;
}

/** How often publishes are looked at for being over their time, as a share of that time. */
const EXPIRY_STEPS = 20;
/** One in so many publishes is timed for the histogram. */
const TIMED = 16;

export class Router {
  private published = 0;
  private delivered = 0;
  private failed = 0;
  private accepted = 0;

  constructor(
    private readonly channels: Channels,
    private readonly peers: Peers,
    private readonly here: Here,
    private readonly clock: Clock,
    private readonly meter: Meter,
    private readonly limits: RouterLimits,
  ) {}

  // ── publish: enter the mesh ──

  /** `done` gets the counts, once, perhaps before this returns; null when nobody wants them. */
  publish(message: Message, done: ((result: PublishResult) => void) | null): void {
    this.published++;
    const pending = done === null ? null : new Pending(this.accepted++ % TIMED === 0 ? this.timed(done) : done);
    this.route(message, pending);
  }

  private timed(done: (result: PublishResult) => void): (result: PublishResult) => void {
    const began = this.clock.now();
    return (result) => {
      this.meter.observe('publish_seconds', (this.clock.now() - began) / 1000);
      done(result);
    };
  }

  // ── route: decide the nodes ──

  /** This node is an owner: its own directory is the answer, with everybody it has no proof about. */
  private route(message: Message, pending: Pending | null): void {
    const channel = this.channels.find(message.channel);
    const now = this.clock.now();
    const doubtful = this.peers.unsynced();
    if (channel !== undefined) {
      for (const row of channel.rows) {
        if (row.peer.inView) this.forward(row.peer, row, message, now, pending);
      }
    }
    for (const peer of doubtful) {
      if (peer.met && (channel === undefined || !peer.registered.has(channel)))
        this.forward(peer, null, message, now, pending);
    }
    const { success, fail } = this.deliver(channel, message);
    pending?.settle(success, fail);
  }

  // ── forward: one frame per node, sent at the end of the turn ──

  private forward(peer: Peer, row: Counted | null, message: Message, now: number, pending: Pending | null): void {
    const { channel, binary, data } = message;
    const open = peer.session !== null;
    if (open || peer.resumable) {
      // Without a session it waits for the session's return, but its counts are not waited for (rules 13 and 16).
      const taken = peer.outbox.publish(channel, binary, data, now, open ? pending : null, row);
      if (!taken) this.meter.count('drops_total', 1, 'peer_queue_full');
      if (taken && open) return;
    }
    pending?.expect();
    pending?.unconfirm(peer.nodeId, row?.lastCount ?? 1);
  }

  // ── deliver: hand to the local subscribers ──

  /** A publish that came from a peer. */
  onPublish(peer: Peer, frame: Publish): void {
    const { success, fail } = this.deliver(this.channels.find(frame.channel), frame);
    peer.inbox.count(success, fail);
  }

  private deliver(channel: Channel | undefined, message: Message): Delivered {
    const counts = this.here.deliver(channel, message);
    this.delivered += counts.success;
    this.failed += counts.fail;
    return counts;
  }

  // ── counts: summed by pending.ts as the peers' acknowledgements come in (outbox.ts), or given up here ──

  start(): Router {
    const { publishTimeoutMs } = this.limits;
    this.clock.after(publishTimeoutMs / EXPIRY_STEPS, () => this.start());
    const limit = this.clock.now() - publishTimeoutMs;
    for (const peer of this.peers.all()) peer.outbox.expire(limit);
    this.tellMeter();
    return this;
  }

  private tellMeter(): void {
    if (this.published > 0) this.meter.count('publishes_total', this.published);
    if (this.delivered > 0) this.meter.count('deliveries_total', this.delivered);
    if (this.failed > 0) this.meter.count('drops_total', this.failed, 'local_delivery');
    this.published = 0;
    this.delivered = 0;
    this.failed = 0;
  }
}
