/**
 * Telling every member what this node's view is, and noting what theirs is (rules 2 and 3). Views are compared by digest;
 * what differs is told as records, on the same ordered stream, so each side knows what the other knew when it acknowledged.
 */
import type { Announce, AnnounceAck, MemberRecord, Sync } from './frames.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';

/** What announcements ask of membership.ts. */
export interface Knowledge {
  changeCount(): number;
  recordsSince(count: number): readonly MemberRecord[];
  merge(records: readonly MemberRecord[]): void;
}

export class Announcer {
  /** Peers whose announcement is to be acknowledged at the end of the turn. */
  private readonly due = new Set<Peer>();

  constructor(
    private readonly peers: Peers,
    private readonly knowledge: Knowledge,
    private readonly mergeMembers: boolean,
    /** The whole view acknowledged this node's digest. */
    private readonly settled: () => void,
  ) {}

  announceAll(): void {
    for (const peer of this.peers.inView) this.announce(peer);
  }

  /**
   * HELLO and ACCEPT told it all records. What the dialer learned between the two only gossip tells; until then the peer
   * knows from the announcement that the views differ, and sends (rule 7).
   */
  sessionBegan(peer: Peer): void {
    peer.told = this.knowledge.changeCount();
    this.announce(peer);
  }

  private announce(peer: Peer): void {
    if (peer.session === null) return;
    peer.outbox.sendControl({ kind: 'announce', digest: this.peers.digest, members: this.untold(peer) });
  }

  private untold(peer: Peer): readonly MemberRecord[] {
    const members = this.knowledge.recordsSince(peer.told);
    peer.told = this.knowledge.changeCount();
    return members;
  }

  onAnnounce(peer: Peer, { digest, members }: Announce): void {
    peer.announced = digest;
    peer.synced = '';
    peer.ackDue = digest;
    this.due.add(peer);
    this.peers.touch();
    if (this.mergeMembers) this.knowledge.merge(members);
  }

  /** At the end of the turn, so that what was merged in it is told with the acknowledgement. */
  acknowledge(): void {
    for (const peer of this.due) {
      if (peer.session === null || peer.ackDue === '') continue;
      peer.outbox.sendControl({ kind: 'announceAck', digest: peer.ackDue, members: this.untold(peer) });
      peer.ackDue = '';
    }
    this.due.clear();
  }

  onAnnounceAck(peer: Peer, { digest, members }: AnnounceAck): void {
    if (this.mergeMembers) this.knowledge.merge(members);
    peer.acked = digest;
    this.peers.touch();
    if (this.peers.settled()) this.settled();
  }

  onSync(peer: Peer, { digest }: Sync): void {
    if (peer.announced !== digest) return;
    peer.synced = digest;
    this.peers.touch();
  }
}
