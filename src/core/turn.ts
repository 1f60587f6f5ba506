/**
 * The end of an event-loop turn: what was decided in it leaves, in the order in which it must be heard. A new view is
 * announced before the acknowledgement of somebody else's, acknowledgements before what they allow.
 * Counts leave one turn later, when the sockets have been written: sent before, they wake the publisher's node while this one
 * still writes, and on a busy machine the clients wait for both (bench/PROFILE.md).
 */
import type { Announcer } from './announce.js';
import type { Membership } from './membership.js';
import type { Peer } from './peer.js';
import type { Clock } from './ports.js';

export class Turn {
  private awake: Peer[] = [];
  /** Peers that counts are owed to. */
  private delivered: Peer[] = [];
  private ending = false;
  private checking = false;

  constructor(
    private readonly clock: Clock,
    private readonly membership: Pick<Membership, 'reportNow'>,
    private readonly announcer: Pick<Announcer, 'acknowledge'>,
    /** Looks at what waits for this node to be settled: the gate, subscribes, a leave. */
    private readonly check: () => void,
  ) {}

  /** That peer has something to be sent. */
  wake(peer: Peer): void {
    if (peer.awake) return;
    peer.awake = true;
    this.awake.push(peer);
    this.endSoon();
  }

  /** Messages of that peer were delivered here. */
  countSoon(peer: Peer): void {
    if (peer.countsDue) return;
    peer.countsDue = true;
    if (this.delivered.push(peer) === 1) this.clock.endOfTurn(this.nextTurn);
  }

  private readonly nextTurn = (): void => this.clock.endOfTurn(this.sendCounts);
  private readonly sendCounts = (): void => {
    const { delivered } = this;
    this.delivered = [];
    for (const peer of delivered) {
      peer.countsDue = false;
      peer.awake = true;
    }
    this.flushAll(delivered);
  };

  checkSoon(): void {
    this.checking = true;
    this.endSoon();
  }

  private endSoon(): void {
    if (this.ending) return;
    this.ending = true;
    this.clock.endOfTurn(() => this.end());
  }

  end(): void {
    this.ending = false;
    this.membership.reportNow();
    this.announcer.acknowledge();
    if (this.checking) {
      this.checking = false;
      this.check();
    }
    const { awake } = this;
    this.awake = [];
    this.flushAll(awake);
  }

  private flushAll(peers: readonly Peer[]): void {
    const now = this.clock.now();
    for (const peer of peers) {
      if (peer.session !== null) this.flush(peer, now);
      // Only now: what its flush adds leaves with it and needs no turn of its own.
      peer.awake = false;
    }
  }

  /** Nothing comes after this turn. */
  last(): void {
    this.end();
    this.sendCounts();
  }

  private flush(peer: Peer, now: number): void {
    if (peer.goodbyeDue) {
      peer.goodbyeDue = false;
      peer.outbox.sendControl({ kind: 'goodbyeAck', epoch: peer.outbox.epoch, lastSent: peer.outbox.lastSeq });
    }
    if (peer.registerAcks.length > 0) {
      peer.outbox.sendControl({ kind: 'registerAck', versions: peer.registerAcks });
      peer.registerAcks = [];
    }
    // While the lane is full, counts go on gathering in one frame.
    const counts = peer.outbox.takesData && !peer.countsDue ? peer.inbox.takeCounts() : null;
    if (counts !== null) peer.outbox.sendLoose(counts);
    peer.outbox.flush(peer.session!.link, now);
  }
}
