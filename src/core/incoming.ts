/** Each frame of an open session to the part that it is for. */
import type { Announcer } from './announce.js';
import type { Asks } from './ask.js';
import type { Canaries } from './canary.js';
import type { Directory } from './directory.js';
import type { DataFrame, Frame, Numbering } from './frames.js';
import type { Interests } from './interest.js';
import type { Leases } from './leases.js';
import type { Leave } from './leave.js';
import type { Lookups } from './lookup.js';
import type { Membership } from './membership.js';
import type { Peer } from './peer.js';
import type { RelayedLinks } from './relay.js';
import type { Router } from './router.js';
import type { Sessions } from './session.js';
import type { Turn } from './turn.js';

export interface IncomingParts {
  readonly membership: Membership;
  readonly sessions: Sessions;
  readonly announcer: Announcer;
  readonly interests: Interests;
  readonly directory: Directory;
  readonly leases: Leases;
  readonly lookups: Lookups;
  readonly router: Router;
  readonly relays: RelayedLinks;
  readonly asks: Asks;
  readonly canaries: Canaries;
  readonly turn: Turn;
}

export interface IncomingRoles {
  now(): number;
  /** The leave under way. */
  leave(): Leave | null;
  /** Messages from that peer may have been missed, on that channel or on any. */
  gap(channel: string | null, peer: Peer, why: string): void;
}

export class Incoming {
  constructor(
    private readonly to: IncomingParts,
    private readonly roles: IncomingRoles,
  ) {}

  /** Frames after one that ended the session are of a session that is no more. */
  control(peer: Peer, frames: readonly Frame[]): void {
    const { session } = peer;
    for (const frame of frames) {
      if (peer.session !== session) return;
      this.controlFrame(peer, frame);
    }
  }

  private controlFrame(peer: Peer, frame: Frame): void {
    const { to } = this;
    switch (frame.kind) {
      case 'ping':
      case 'pingAck':
      case 'pingRequest':
      case 'pingNack':
      case 'gossip':
      case 'state':
        return to.membership.received(peer.nodeId, frame);
      case 'announce':
        to.announcer.onAnnounce(peer, frame);
        return to.turn.checkSoon();
      case 'announceAck':
        return to.announcer.onAnnounceAck(peer, frame);
      case 'sync':
        return to.announcer.onSync(peer, frame);
      case 'register':
        return to.directory.onRegister(peer, frame.entries);
      case 'registerAck':
        to.interests.onRegisterAck(peer, frame.versions);
        return to.turn.checkSoon();
      case 'lookup':
        return to.directory.onLookup(peer, frame);
      case 'lookupAnswer':
        to.lookups.onAnswer(peer, frame);
        if (this.roles.leave() !== null) to.turn.checkSoon();
        return;
      case 'leaseUpdate':
        return to.lookups.onLeaseUpdate(peer, frame);
      case 'leaseRevoke':
        return to.lookups.onLeaseRevoke(peer, frame);
      case 'leaseAck':
        to.leases.onAck(frame.id);
        return to.turn.checkSoon();
      case 'goodbye':
        to.membership.merge(frame.members);
        peer.goodbyeDue = true;
        return to.turn.wake(peer);
      case 'goodbyeAck':
        this.roles.leave()?.onGoodbyeAck(peer, frame);
        return to.turn.checkSoon();
      case 'relay':
        return to.relays.onRelay(peer, frame);
      case 'relayEnd':
        return to.relays.onRelayEnd(peer, frame);
      case 'reject':
        to.sessions.rejected(frame);
        return to.sessions.close(peer, frame.reason, 'ended');
      default:
        return this.misfit(peer, frame);
    }
  }

  data(peer: Peer, frames: readonly DataFrame[]): void {
    const { session } = peer;
    for (const frame of frames) {
      if (peer.session !== session) return;
      this.dataFrame(peer, frame);
    }
    this.to.turn.countSoon(peer);
  }

  private dataFrame(peer: Peer, frame: DataFrame): void {
    const { to } = this;
    switch (frame.kind) {
      case 'publish':
        if (peer.inbox.accepts(frame.seq)) return to.router.onPublish(peer, frame);
        return this.misfit(peer, frame);
      case 'delivered':
        if (!peer.outbox.delivered(frame.seq, frame.counts, this.roles.now())) this.misfit(peer, frame);
        if (this.roles.leave() !== null) to.turn.checkSoon();
        return;
      case 'dropped':
        if (!peer.inbox.accepts(frame.seq)) return this.misfit(peer, frame);
        peer.inbox.count(0, 0);
        if (frame.channels.length === 0) this.roles.gap(null, peer, 'its queue for this node was full');
        for (const channel of frame.channels) this.roles.gap(channel, peer, 'its queue for this node was full');
        return;
      case 'numbering':
        return this.numbering(peer, frame);
      case 'relay':
        return to.relays.onRelay(peer, frame);
      case 'ask':
        return to.asks.onAsk(peer, frame);
      case 'reply':
        return to.asks.onReply(frame);
      case 'canary':
        return peer.outbox.sendLoose({ kind: 'canaryEcho', id: frame.id });
      case 'canaryEcho':
        return to.canaries.onEcho(peer, frame.id);
      default:
        return this.misfit(peer, frame);
    }
  }

  /** Where the peer's numbers go on tells whether anything was lost between the sessions (rules 12 and 16). */
  private numbering(peer: Peer, { epoch, first }: Numbering): void {
    const start = peer.inbox.numbering(epoch, first);
    if (start === 'hole') this.roles.gap(null, peer, 'it gave up messages while there was no session');
    if (start === 'new' && peer.session?.bothReady) {
      this.roles.gap(null, peer, 'both were ready when they met: a partition has healed');
    }
  }

  /** A frame that cannot be at this place: the two sides do not agree on the session, so it begins anew. */
  private misfit(peer: Peer, frame: Frame): void {
    this.to.sessions.close(peer, `unexpected ${frame.kind}`, 'reset');
  }
}
