/**
 * A publisher that does not own the channel: asks an owner who is interested, keeps the publishes in order while it waits,
 * and keeps the answer for a while when the channel is busy (rules 7, 8, 9 and 17). The owner's side is directory.ts for the
 * answer and leases.ts for who holds one.
 */
import type { Channel, Channels, Row } from './channels.js';
import type { LeaseRevoke, LeaseUpdate, LookupAnswer } from './frames.js';
import type { Message } from './message.js';
import type { Peer, Session } from './peer.js';
import type { Peers } from './peers.js';
import type { Pending } from './pending.js';
import type { Ports } from './ports.js';
import type { RuleName } from './rules.js';

/** A publish that waits for the channel's look-up. */
export interface Queued {
  readonly message: Message;
  readonly pending: Pending | null;
  readonly at: number;
}

/** An owner's answer that may be used until `until`. */
interface HeldLease {
  readonly owner: Peer;
  readonly session: Session;
  readonly digest: string;
  readonly until: number;
  readonly rows: Row[];
}

/** What a channel's record keeps for publishes of this node. */
export interface PublisherSide {
  lease: HeldLease | null;
  readonly queue: Queued[];
  /** Publishes that went through the queue and left it. */
  left: number;
  /** The look-up under way: when its first question left, and what ends it. */
  startedAt: number | null;
  /** Number of the latest look-up, never used twice: what is late for one does not meddle with the next, though this record may have been made anew. */
  look: number;
  /** Owners asked since then. */
  readonly asked: Set<string>;
  /** Publishes in the second that began at `since`. */
  count: number;
  since: number;
}

/** One question to one owner. The answer is good for the publishes that had begun when it left: the first `covers` since the channel's record was made. */
interface Question {
  readonly channel: Channel;
  readonly owner: Peer;
  readonly session: Session;
  readonly sentAt: number;
  readonly look: number;
  readonly covers: number;
}

export interface LookupLimits {
  readonly lookupQueue: number;
  readonly lookupQueueTotal: number;
  readonly lookupHedgeMs: number;
  readonly lookupGiveUpMs: number;
  readonly publishTimeoutMs: number;
  readonly leaseFromPerSecond: number;
  readonly maxLeases: number;
}

/** What a look-up ends in (router.ts). A send that would go to most of the view needs budget; false: not sent, for want of it. */
export interface Forwarding {
  /** Sends to those rows, and to whoever has to be sent to whatever the answer says. */
  sendTo(rows: readonly Row[], queued: Queued): boolean;
  sendToAll(queued: Queued): boolean;
  /** This node owns the channel now: its own directory decides. */
  sendAsOwner(channel: Channel, queued: Queued): boolean;
  /** It is too late: every member is unconfirmed. */
  giveUp(queued: Queued): void;
}

export class Lookups {
  /** Publishes that wait, look-ups under way, leases held. */
  queued = 0;
  private readonly looking = new Set<Channel>();
  private readonly sides = new Set<Channel>();
  /** Channels with a lease, perhaps one that has ended. */
  private readonly held = new Set<Channel>();
  private readonly questions = new Map<number, Question>();
  private lastQuestion = 0;
  private lastLook = 0;
  private sweeping = false;

  constructor(
    private readonly channels: Channels,
    private readonly peers: Peers,
    private readonly forwarding: Forwarding,
    private readonly ports: Pick<Ports, 'clock' | 'meter'>,
    private readonly limits: LookupLimits,
    private readonly without: RuleName | undefined,
  ) {}

  get size(): number {
    return this.looking.size;
  }
  get leases(): number {
    for (const channel of this.held) this.leased(channel);
    return this.held.size;
  }

  /** Sends by the lease, or after a look-up. Null, or why it cannot wait. */
  publish(channel: Channel, queued: Queued): string | null {
    const side = this.sideOf(channel, queued.at);
    if (side.queue.length === 0) {
      const rows = this.leased(channel);
      if (rows !== null && this.forwarding.sendTo(rows, queued)) return null;
    }
    if (side.queue.length >= this.limits.lookupQueue || this.queued >= this.limits.lookupQueueTotal) {
      return `overloaded: ${side.queue.length} publishes wait for the owners of ${channel.name}`;
    }
    queued.pending?.expect();
    side.queue.push(queued);
    this.queued++;
    if (side.startedAt === null) this.begin(channel, side);
    return null;
  }

  /** Rows of a lease that is valid now: its owner still has a session with this node, and the view is the same. */
  leased(channel: Channel): readonly Row[] | null {
    const lease = channel.publisher?.lease ?? null;
    if (lease === null) return null;
    const valid =
      lease.until > this.ports.clock.now() && lease.session === lease.owner.session && this.fits(lease.digest);
    if (!valid) this.drop(channel);
    return valid ? lease.rows : null;
  }

  private drop(channel: Channel): void {
    if (channel.publisher !== null) channel.publisher.lease = null;
    this.held.delete(channel);
  }

  private keep(channel: Channel, lease: HeldLease): void {
    if (this.held.size >= this.limits.maxLeases && this.leases >= this.limits.maxLeases) return;
    channel.publisher!.lease = lease;
    this.held.add(channel);
  }

  private fits(digest: string): boolean {
    return digest === this.peers.digest || this.without === 'digest-equality';
  }

  private sideOf(channel: Channel, now: number): PublisherSide {
    if (channel.publisher === null) {
      channel.publisher = {
        lease: null,
        queue: [],
        left: 0,
        startedAt: null,
        look: 0,
        asked: new Set(),
        count: 0,
        since: now,
      };
      this.sides.add(channel);
      this.sweepLater();
    }
    const side = channel.publisher;
    if (now - side.since >= 1000) {
      side.since = now;
      side.count = 0;
    }
    side.count++;
    return side;
  }

  // ── one look-up at a time per channel (rule 8) ──

  private begin(channel: Channel, side: PublisherSide): void {
    this.ports.meter.count('lookups_total');
    this.looking.add(channel);
    side.startedAt = this.ports.clock.now();
    const look = ++this.lastLook;
    side.look = look;
    side.asked.clear();
    const { lookupHedgeMs, lookupGiveUpMs } = this.limits;
    const ifOpen = (then: () => void) => () => {
      if (side.look === look && side.startedAt !== null) then();
    };
    this.ports.clock.after(
      lookupHedgeMs,
      ifOpen(() => this.ask(channel, side)),
    );
    this.ports.clock.after(
      lookupGiveUpMs,
      ifOpen(() => this.flood(channel, side)),
    );
    this.ask(channel, side);
  }

  /** Asks the first owner in the present view that was not asked, or decides here when this node is one. */
  private ask(channel: Channel, side: PublisherSide): void {
    if (this.peers.owns(channel)) {
      this.serve(channel, side, side.queue.length, (queued) => this.forwarding.sendAsOwner(channel, queued));
      return;
    }
    for (const ownerId of this.peers.owners(channel)) {
      const owner = this.peers.find(ownerId);
      if (!owner?.session || side.asked.has(ownerId)) continue;
      side.asked.add(ownerId);
      const id = ++this.lastQuestion;
      const { session } = owner;
      const sentAt = this.ports.clock.now();
      this.questions.set(id, {
        channel,
        owner,
        session,
        sentAt,
        look: side.look,
        covers: side.left + side.queue.length,
      });
      this.ports.clock.after(this.limits.publishTimeoutMs, () => this.questions.delete(id));
      const lease = side.count >= this.limits.leaseFromPerSecond;
      owner.outbox.sendControl({ kind: 'lookup', id, channel: channel.name, digest: this.peers.digest, lease });
      return;
    }
  }

  onAnswer(peer: Peer, { id, digest, valid, nodes, leaseMs }: LookupAnswer): void {
    const question = this.questions.get(id);
    if (question === undefined || question.session !== peer.session) return;
    this.questions.delete(id);
    const { channel, covers, look, sentAt } = question;
    const side = channel.publisher;
    if (side === null || side.look !== look || side.startedAt === null) return;
    if (!valid || !this.fits(digest)) {
      this.ask(channel, side);
      return;
    }
    const rows = this.rowsOf(nodes);
    if (leaseMs > 0) {
      const from = this.without === 'holder-clock-from-sending' ? this.ports.clock.now() : sentAt;
      this.keep(channel, { owner: peer, session: question.session, digest, until: from + leaseMs, rows });
    }
    const served = this.leased(channel) === null ? covers - side.left : side.queue.length;
    this.serve(channel, side, served, (queued) => this.forwarding.sendTo(rows, queued));
  }

  private rowsOf(nodes: readonly string[]): Row[] {
    const rows: Row[] = [];
    for (const nodeId of nodes) {
      const peer = this.peers.find(nodeId);
      if (peer !== undefined) rows.push({ peer, lastCount: 1 });
    }
    return rows;
  }

  /** Sends the first `count` that wait. Those that began after the answer's question need one of their own. */
  private serve(channel: Channel, side: PublisherSide, count: number, send: (queued: Queued) => boolean): void {
    let sent = 0;
    while (sent < count && send(side.queue[sent])) side.queue[sent++].pending?.settle(0, 0);
    side.queue.splice(0, sent);
    side.left += sent;
    this.queued -= sent;
    if (sent < count) return;
    side.startedAt = null;
    this.looking.delete(channel);
    if (side.queue.length > 0) this.begin(channel, side);
  }

  /** No owner answered in time: to the whole view, as far as the budget goes; the rest waits for the next try (rule 17). */
  private flood(channel: Channel, side: PublisherSide): void {
    const tooOld = this.ports.clock.now() - this.limits.publishTimeoutMs;
    const { look } = side;
    this.serve(channel, side, side.queue.length, (queued) => {
      if (this.forwarding.sendToAll(queued)) return true;
      if (queued.at > tooOld) return false;
      this.forwarding.giveUp(queued);
      return true;
    });
    if (side.look !== look || side.startedAt === null) return;
    side.asked.clear();
    this.ask(channel, side);
    this.ports.clock.after(this.limits.lookupHedgeMs, () => {
      if (side.look === look && side.startedAt !== null) this.flood(channel, side);
    });
  }

  // ── what ends or changes a lease before its time (rules 9 and 10) ──

  onLeaseUpdate(peer: Peer, { id, channel: name, nodeId, on }: LeaseUpdate): void {
    peer.outbox.sendControl({ kind: 'leaseAck', id });
    const lease = this.channels.find(name)?.publisher?.lease;
    if (!lease || lease.owner !== peer) return;
    const at = lease.rows.findIndex((row) => row.peer.nodeId === nodeId);
    if (on && at < 0) lease.rows.push(...this.rowsOf([nodeId]));
    if (!on && at >= 0) lease.rows.splice(at, 1);
  }

  onLeaseRevoke(peer: Peer, { id, channel: name }: LeaseRevoke): void {
    peer.outbox.sendControl({ kind: 'leaseAck', id });
    for (const channel of this.held) {
      if (channel.publisher?.lease?.owner === peer && (name === '' || name === channel.name)) this.drop(channel);
    }
  }

  /** Leases of the view before are over; look-ups under way ask the owners of the new one. */
  viewChanged(): void {
    if (this.without !== 'digest-equality') for (const channel of this.held) this.drop(channel);
    for (const channel of [...this.looking]) this.again(channel);
  }

  /** A look-up that waits for that owner goes on to the next. */
  sessionLost(peer: Peer): void {
    for (const [id, question] of this.questions) {
      if (question.owner !== peer) continue;
      this.questions.delete(id);
      const side = question.channel.publisher;
      if (side?.look === question.look && side.startedAt !== null) this.ask(question.channel, side);
    }
  }

  /** The node ends: whoever waits is told so. */
  stop(): void {
    for (const channel of [...this.looking]) {
      const side = channel.publisher!;
      this.serve(channel, side, side.queue.length, (queued) => {
        this.forwarding.giveUp(queued);
        return true;
      });
    }
  }

  private again(channel: Channel): void {
    const side = channel.publisher!;
    side.asked.clear();
    this.ask(channel, side);
  }

  /** Forgets channels that nobody here published to for a while. */
  private sweepLater(): void {
    if (this.sweeping) return;
    this.sweeping = true;
    this.ports.clock.after(1000, () => {
      this.sweeping = false;
      const now = this.ports.clock.now();
      for (const channel of this.sides) {
        const side = channel.publisher!;
        if (side.startedAt !== null || now - side.since < 1000 || this.leased(channel) !== null) continue;
        channel.publisher = null;
        this.sides.delete(channel);
        this.channels.release(channel);
      }
      if (this.sides.size > 0) this.sweepLater();
    });
  }
}
