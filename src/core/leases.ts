/**
 * The owner's side of leases (rules 9 and 10): who keeps a copy of this node's answers, until when, and that new interest is
 * not acknowledged before every copy has it or has ended. A record outlives views, sessions and even the holder's death,
 * because the holder may still be using its copy. The holder's side is lookup.ts.
 */
import type { Channel, Channels } from './channels.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { Clock } from './ports.js';
import type { RuleName } from './rules.js';

/** One holder's copy of the answer for one channel. */
interface Grant {
  readonly channel: Channel;
  readonly holder: string;
  /** The holder's copy has ended by then on any clock that drifts less than 10 %, ms. */
  readonly until: number;
  /** Grants are numbered, so that a revocation says which it means. */
  readonly number: number;
}
/** By the holder's node id. */
export type GrantedLeases = Map<string, Grant>;

export interface LeaseLimits {
  readonly leaseMs: number;
  readonly leaseGraceMs: number;
  readonly maxLeases: number;
}

/** The owner waits that much longer than the holder keeps. */
const CLOCK_DRIFT = 1.1;

export class Leases {
  /** All grants in the order of their ends; some are replaced by later ones. */
  private grants: Grant[] = [];
  /** What runs when the holder has acknowledged the update or revocation of that number. */
  private readonly waiting = new Map<number, () => void>();
  private lastId = 0;
  private lastGrant = 0;
  private sweeping = false;

  constructor(
    private readonly channels: Channels,
    private readonly peers: Peers,
    private readonly clock: Clock,
    private readonly limits: LeaseLimits,
    private readonly without: RuleName | undefined,
  ) {}

  get size(): number {
    return this.grants.length;
  }

  /** The peer may keep the answer that it is about to get; returns for how long, ms, 0 when not. */
  grant(channel: Channel, peer: Peer): number {
    if (this.grants.length >= this.limits.maxLeases) return 0;
    const until = this.clock.now() + this.limits.leaseMs * CLOCK_DRIFT + this.limits.leaseGraceMs;
    const grant = { channel, holder: peer.nodeId, until, number: ++this.lastGrant };
    channel.granted ??= new Map();
    channel.granted.set(peer.nodeId, grant);
    this.grants.push(grant);
    this.sweepAt(until);
    return this.limits.leaseMs;
  }

  /** A node became interested: `done` once every copy has it or has ended, perhaps at once. */
  added(channel: Channel, nodeId: string, done: () => void): void {
    const now = this.clock.now();
    const holders = [...(channel.granted?.values() ?? [])].filter((one) => one.until > now && one.holder !== nodeId);
    let missing = this.without === 'lease-wait' ? 1 : holders.length + 1;
    const one = (): void => {
      if (--missing === 0) done();
    };
    for (const { holder, until } of holders) this.tell(channel, nodeId, true, holder, until - now, one);
    one();
  }

  /** A node is no longer interested: the copies learn of it when they do. */
  removed(channel: Channel, nodeId: string): void {
    const now = this.clock.now();
    for (const { holder, until } of channel.granted?.values() ?? []) {
      if (until > now && holder !== nodeId) this.tell(channel, nodeId, false, holder, until - now, () => {});
    }
  }

  /** `then` runs when the holder has acknowledged, or its copy has ended. */
  private tell(channel: Channel, nodeId: string, on: boolean, holder: string, endsIn: number, then: () => void): void {
    const id = ++this.lastId;
    this.waiting.set(id, then);
    this.clock.after(endsIn, () => this.onAck(id));
    const peer = this.peers.find(holder);
    if (!peer?.session) return;
    peer.outbox.sendControl({ kind: 'leaseUpdate', id, channel: channel.name, nodeId, on });
  }

  onAck(id: number): void {
    const then = this.waiting.get(id);
    if (then === undefined) return;
    this.waiting.delete(id);
    then();
  }

  /** Asks every holder to drop its copies; the records stay until it says so, or end. */
  revokeAll(): void {
    const upTo = this.lastGrant;
    for (const holder of new Set(this.grants.map((grant) => grant.holder))) {
      const peer = this.peers.find(holder);
      if (!peer?.session) continue;
      const id = ++this.lastId;
      this.waiting.set(id, () => this.forget((grant) => grant.holder === holder && grant.number <= upTo));
      this.clock.after(this.limits.leaseMs, () => this.waiting.delete(id));
      peer.outbox.sendControl({ kind: 'leaseRevoke', id, channel: '' });
    }
  }

  viewChanged(): void {
    if (this.without === 'leases-survive') this.forget(() => true);
    else this.revokeAll();
  }

  sessionLost(peer: Peer): void {
    if (this.without === 'leases-survive') this.forget((grant) => grant.holder === peer.nodeId);
  }

  private forget(which: (grant: Grant) => boolean): void {
    this.grants = this.grants.filter((grant) => {
      const gone = which(grant);
      if (gone) this.drop(grant);
      return !gone;
    });
  }

  private drop(grant: Grant): void {
    const { channel, holder } = grant;
    if (channel.granted?.get(holder) !== grant) return;
    channel.granted.delete(holder);
    if (channel.granted.size > 0) return;
    channel.granted = null;
    this.channels.release(channel);
  }

  private sweepAt(until: number): void {
    if (this.sweeping) return;
    this.sweeping = true;
    this.clock.after(until - this.clock.now(), () => {
      this.sweeping = false;
      const now = this.clock.now();
      this.forget((grant) => grant.until <= now);
      if (this.grants.length > 0) this.sweepAt(Math.max(now + 1, this.grants[0].until));
    });
  }
}
