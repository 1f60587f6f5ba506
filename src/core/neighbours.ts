/** Sessions and members come and go: what each part of the node is told of it, and in which order. */
import type { Announcer } from './announce.js';
import type { Asks } from './ask.js';
import type { Canaries } from './canary.js';
import type { Dialer } from './dialer.js';
import type { Directory } from './directory.js';
import type { MemberRecord } from './frames.js';
import type { Gate } from './gate.js';
import type { Interests } from './interest.js';
import type { Leases } from './leases.js';
import type { Lookups } from './lookup.js';
import type { Membership } from './membership.js';
import { Outbox, type OutboxLimits } from './outbox.js';
import { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { LinkEnd, Ports } from './ports.js';
import { type RelayedLinks, viaAddress } from './relay.js';
import type { DialEnd, Sessions } from './session.js';
import type { Turn } from './turn.js';
import type { ViewChange } from './view.js';

export interface NeighbourParts {
  readonly membership: Membership;
  readonly peers: Peers;
  readonly sessions: Sessions;
  readonly dialer: Dialer;
  readonly gate: Gate;
  readonly announcer: Announcer;
  readonly interests: Interests;
  readonly directory: Directory;
  readonly leases: Leases;
  readonly lookups: Lookups;
  readonly asks: Asks;
  readonly canaries: Canaries;
  readonly relays: RelayedLinks;
  readonly turn: Turn;
}

export interface NeighbourLimits extends OutboxLimits {
  readonly redialMinMs: number;
  readonly resumeMs: number;
  readonly stalledMs: number;
  readonly leaveStepMs: number;
  readonly relayAfterMs: number;
  readonly canaryMs: number;
  readonly announcementsPerSecond: number;
}

export class Neighbours {
  private announcing = false;
  private announcedAt = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly of: NeighbourParts,
    private readonly ports: Pick<Ports, 'clock' | 'random' | 'links'>,
    private readonly limits: NeighbourLimits,
  ) {}

  /** The Peer of that process; what belonged to an earlier process of its name is over. */
  adopt(record: MemberRecord): Peer {
    const known = this.of.peers.find(record.nodeId);
    if (known?.is(record)) {
      known.record = record;
      return known;
    }
    if (known !== undefined) known.inView = false;
    const { random, links } = this.ports;
    const wake = (): void => this.of.turn.wake(peer);
    const peer = new Peer(record, new Outbox(record.nodeId, random.uint32() || 1, this.limits, links, wake));
    peer.sessionLostAt = this.ports.clock.now();
    this.of.peers.add(peer);
    return peer;
  }

  viewChanged({ view, gone, returned }: ViewChange): void {
    const { peers, interests, leases, lookups, turn } = this.of;
    const before = new Map(gone.map(({ member }) => [member, peers.find(member.nodeId)]));
    for (const record of view.members) {
      if (record.nodeId === peers.selfId) continue;
      const peer = this.adopt(record);
      // Its clients stayed with it while it was held for dead, so it counts although there was no session since.
      if (returned.has(record.nodeId)) peer.met = true;
    }
    peers.turnTo(view);
    // Only now: a publish that waits for them decides at once, and must do so in the new view.
    for (const { member, how } of gone) {
      const peer = before.get(member);
      if (peer === undefined || peer.inView || peer.record.boot !== member.boot) continue;
      if (how === 'left') this.ports.clock.after(this.limits.leaveStepMs, () => this.part(peer));
      else this.bury(peer);
    }
    for (const peer of peers.inView) if (peer.session === null) this.callAgain(peer);
    interests.viewChanged();
    leases.viewChanged();
    lookups.viewChanged();
    turn.checkSoon();
    this.announceSoon();
  }

  /** The members are to acknowledge this view anew, as if it were another one. */
  askAgain(): void {
    const { peers } = this.of;
    for (const peer of peers.inView) peer.acked = '';
    peers.touch();
    this.announceSoon();
  }

  /** At once, or when the last announcement is long enough ago for so many members. */
  private announceSoon(): void {
    if (this.announcing) return;
    const { peers, announcer, interests } = this.of;
    const pause = (peers.inView.length / this.limits.announcementsPerSecond) * 1000;
    const announce = (): void => {
      this.announcing = false;
      this.announcedAt = this.ports.clock.now();
      announcer.announceAll();
      interests.registerAll();
    };
    const wait = this.announcedAt + pause - this.ports.clock.now();
    if (wait <= 0) return announce();
    this.announcing = true;
    this.ports.clock.after(wait, announce);
  }

  sessionBegan(peer: Peer): void {
    const { membership, announcer, interests, canaries, turn } = this.of;
    interests.tellPatterns(peer);
    membership.linkRestored(peer.nodeId);
    announcer.sessionBegan(peer);
    if (peer.inView) interests.sessionBegan(peer);
    canaries.send(peer);
    turn.checkSoon();
  }

  sessionLost(peer: Peer, end: LinkEnd): void {
    const { membership, interests, directory, leases, lookups, asks, canaries, turn, peers } = this.of;
    interests.sessionLost(peer);
    directory.sessionLost(peer);
    leases.sessionLost(peer);
    lookups.sessionLost(peer);
    asks.sessionLost(peer);
    canaries.sessionLost(peer);
    turn.checkSoon();
    this.of.relays.sessionLost(peer);
    // In the turn in which it became a member it is not in the view yet, but will be as this very Peer.
    if (!peer.inView && membership.memberByBoot(peer.record.boot) === undefined) return peers.remove(peer);
    membership.linkLost(peer.nodeId, end);
    this.callAgain(peer);
    this.ports.clock.after(this.limits.resumeMs, () => this.giveUpResume(peer));
  }

  /** The other side may have lost the session: a canary that does not come back ends it here as well. */
  doubted(peer: Peer): void {
    const { canaries, sessions } = this.of;
    const { session } = peer;
    const askedAt = this.ports.clock.now();
    canaries.send(peer);
    this.ports.clock.after(this.limits.canaryMs, () => {
      if (peer.session !== session || (peer.lastEchoAt ?? 0) >= askedAt) return;
      sessions.close(peer, 'the other side has lost it', 'reset');
    });
  }

  dialEnded(address: string, end: DialEnd): void {
    const { gate, dialer, peers, membership, turn } = this.of;
    gate.dialEnded(address, end);
    dialer.ended(address, end === 'open' || end === 'self');
    const member = peers.inView.find((peer) => peer.record.address === address && peer.session === null);
    if (member !== undefined && (end === 'refused' || end === 'unreachable' || end === 'reset')) {
      membership.linkLost(member.nodeId, end);
    }
    turn.checkSoon();
  }

  /** The lower node id dials at once, the higher one a little later in case the other did not notice. */
  private callAgain(peer: Peer): void {
    const { peers, dialer } = this.of;
    dialer.want(peer.record.address, peers.selfId < peer.nodeId ? 0 : this.limits.redialMinMs);
  }

  /** Members that could not be reached for a while are reached through somebody else; the lower node id sees to it (rule 15). */
  relayAround(): void {
    const { dialer, peers, sessions } = this.of;
    // A detour is for as long as there is no direct way.
    for (const { session, record, nodeId } of peers.inView) {
      if (session !== null && session.relayedBy !== null && peers.selfId < nodeId) dialer.want(record.address);
    }
    const limit = this.ports.clock.now() - this.limits.relayAfterMs;
    const thirds = peers.inView.filter((peer) => peer.session !== null && peer.session.relayedBy === null);
    if (thirds.length === 0) return;
    for (const peer of peers.inView) {
      if (peer.session !== null || peer.sessionLostAt > limit || peers.selfId > peer.nodeId) continue;
      peer.sessionLostAt = this.ports.clock.now();
      const third = thirds[Math.floor(this.ports.random.fraction() * thirds.length)];
      sessions.dial(viaAddress(third.nodeId, peer.nodeId));
    }
  }

  private giveUpResume(peer: Peer): void {
    if (peer.session !== null || this.ports.clock.now() - peer.sessionLostAt < this.limits.resumeMs) return;
    peer.resumable = false;
    peer.outbox.giveUp();
  }

  /** Death closes the session (rule 11); what waited for that process is given up. */
  private bury(peer: Peer): void {
    const { peers, sessions } = this.of;
    peer.inView = false;
    sessions.close(peer, 'declared dead', 'ended');
    peer.outbox.giveUp();
    peers.remove(peer);
  }

  /** Somebody who left has had time to close its link itself. */
  private part(peer: Peer): void {
    if (peer.inView) return;
    this.of.sessions.close(peer, 'left', 'ended');
    this.of.peers.remove(peer);
  }

  /** Lanes that take nothing any more end their session, and so does what cannot be refused when it piles up (rule 14). */
  closeStalled(): void {
    const limit = this.ports.clock.now() - this.limits.stalledMs;
    for (const peer of this.of.peers.all()) {
      const since = peer.outbox.stalledSince ?? Number.POSITIVE_INFINITY;
      if (since > limit && peer.outbox.waiting <= this.limits.queueFrames) continue;
      this.of.sessions.close(peer, 'the peer takes nothing any more', 'unreachable');
    }
  }
}
