/** Our side of one other node: its session, what we learned through that session, and the two queues. */

import type { Channel } from './channels.js';
import type { Identity, MemberRecord } from './frames.js';
import { Inbox } from './inbox.js';
import type { Registration } from './interest.js';
import type { Outbox } from './outbox.js';
import type { LinkId } from './ports.js';

/** An open session: HELLO and ACCEPT were exchanged on this link. */
export interface Session {
  readonly link: LinkId;
  /** The node that relays it (rule 15). */
  readonly relayedBy: string | null;
  /** The other side had passed its join gate when the session began. */
  readonly peerReady: boolean;
  /** And so had this one: two meshes met, or two halves of one (rule 12). */
  readonly bothReady: boolean;
}

export class Peer {
  /** In the present view. A member that just left is not, while its session may still be open. */
  inView = false;
  record: MemberRecord;
  session: Session | null = null;
  /** Number of the latest session (frames.ts Hello.session), open or lost: only later ones may begin. */
  latestSession = 0;
  /** Since when there is no session, ms; meaningless while there is one. */
  sessionLostAt = 0;
  /** There was a session with this process since it came into the view: before that it cannot be ready (rule 12), so nothing is owed to it. */
  met = false;
  /** A session that was lost may still come back and be sent what waits (rule 16). */
  resumable = false;
  /** It said goodbye; the answer leaves at the end of the turn (rule 18). */
  goodbyeDue = false;
  /** Counts are owed to it; they leave one turn later (turn.ts). */
  countsDue = false;
  /** It waits in the mesh's list of peers with something to flush. */
  awake = false;

  // Learned through the session, forgotten with it.
  /** Digest that it announced, that it sent SYNC for, and that it acknowledged of ours; empty: none. */
  announced = '';
  synced = '';
  acked = '';
  /** Channels that it registered here, when this node answers for them (directory.ts). */
  readonly registered = new Set<Channel>();
  /** What we registered there, by version, while it is not acknowledged (interest.ts). */
  readonly unacked = new Map<number, Registration>();
  /** Versions that it registered here and that are to be acknowledged at the end of the turn. */
  registerAcks: number[] = [];
  /** Change count of the membership that it was last told (announce.ts). */
  told = 0;
  /** Digest whose announcement is to be acknowledged at the end of the turn; empty: none. */
  ackDue = '';

  readonly inbox = new Inbox();
  roundTripMs: number | null = null;
  lastEchoAt: number | null = null;

  constructor(
    record: MemberRecord,
    public outbox: Outbox,
  ) {
    this.record = record;
  }

  get nodeId(): string {
    return this.record.nodeId;
  }
  /** A publish may have to go there: a member without any session so far is not ready, so nobody there waits for one (rule 12). */
  get mayBeOwed(): boolean {
    return this.inView && this.met;
  }
  /** The process that `outbox` and `inbox` belong to. */
  is(identity: Identity): boolean {
    return this.record.boot === identity.boot;
  }
}
