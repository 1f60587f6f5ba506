/**
 * Opening sessions: HELLO, ACCEPT and REJECT on a fresh link, and which of two links to one node is the session
 * (ROUTING "Links", rules 11 and 12). Whom to dial and when is dialer.ts.
 */
import type { Accept, DataFrame, Frame, Hello, Identity, MemberRecord, Reject } from './frames.js';
import { isLive, sameIdentity } from './member.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { Cancel, Lane, LinkEnd, LinkId, Ports } from './ports.js';

/** Range of the peer protocol that this node speaks. */
const PROTOCOL = { min: 1, max: 1 };
/** Data frames that may arrive before ACCEPT, which travels on the other lane; beyond it the link is closed. */
const EARLY_FRAMES = 100_000;

/** What the handshake asks of membership.ts. */
export interface Acquaintance {
  self(): MemberRecord;
  member(nodeId: string): MemberRecord | undefined;
  records(): readonly MemberRecord[];
  isTombstoned(identity: Identity): boolean;
  merge(records: readonly MemberRecord[], from: string): void;
  /** Another node holds that this identity ended: if it is still this node's, it raises its generation. */
  accused(identity: Identity): void;
}

/** What a session does for the rest of the node. */
export interface SessionEvents {
  /** This node passed its join gate. */
  isReady(): boolean;
  /** This node said goodbye to all: no session begins any more (rule 18). */
  hasLeft(): boolean;
  /** The Peer of that process; what belonged to an earlier process of its name is over. */
  adopt(record: MemberRecord): Peer;
  began(peer: Peer): void;
  lost(peer: Peer, end: LinkEnd): void;
  /** Frames of an open session. */
  control(peer: Peer, frames: readonly Frame[]): void;
  data(peer: Peer, frames: readonly DataFrame[]): void;
  /** A dial came to an end without a session, or with one. */
  dialEnded(address: string, end: DialEnd): void;
  /** The node that a link runs through; null for a direct one (rule 15). */
  relayOf(link: LinkId): string | null;
  /** A node that this one should dial, because it has the lower node id, has no session with it: please dial. */
  callBack(record: MemberRecord): void;
  /** The same, but there is a session with that process here: it is new, or the other side has lost it. */
  doubted(peer: Peer): void;
}

export interface SessionSettings {
  /** A link whose handshake is not done by then is closed. */
  readonly handshakeMs: number;
  /** False leaves the rule `merge-members` out. */
  readonly mergeMembers: boolean;
}

export type DialEnd = LinkEnd | 'open' | 'self' | 'redirect' | 'accused' | 'rejected';

/** A link before it is a session. */
interface Line {
  readonly link: LinkId;
  /** Address that this node dialed; null for an incoming link. */
  readonly dialed: string | null;
  readonly number: number;
  opened: boolean;
  /** As whom this node introduced itself in HELLO. */
  said: Identity;
  /** Data frames that came before ACCEPT. */
  readonly early: DataFrame[];
  readonly timeout: Cancel;
}

export class Sessions {
  private readonly lines = new Map<LinkId, Line>();
  private dials = 0;
  private stopped = false;

  constructor(
    private readonly acquaintance: Acquaintance,
    private readonly peers: Peers,
    private readonly ports: Pick<Ports, 'links' | 'clock' | 'log'>,
    private readonly settings: SessionSettings,
    private readonly events: SessionEvents,
  ) {}

  dial(address: string): void {
    const link = this.ports.links.dial(address);
    this.lines.set(link, this.line(link, address, ++this.dials));
  }

  private line(link: LinkId, dialed: string | null, number: number): Line {
    const timeout = this.ports.clock.after(this.settings.handshakeMs, () => {
      this.lines.delete(link);
      this.ports.links.close(link, 'no handshake in time');
      if (dialed !== null) this.events.dialEnded(dialed, 'unreachable');
    });
    return { link, dialed, number, opened: false, said: this.acquaintance.self(), early: [], timeout };
  }

  /** True while a dial to that address has not ended. */
  isDialing(address: string): boolean {
    for (const line of this.lines.values()) if (line.dialed === address) return true;
    return false;
  }

  opened(link: LinkId, dialed: string | null): void {
    if (this.stopped) return this.ports.links.close(link, 'stopped');
    const line = this.lines.get(link) ?? this.line(link, dialed, 0);
    line.opened = true;
    line.said = this.acquaintance.self();
    this.lines.set(link, line);
    if (dialed === null) return;
    const expected = [...this.peers.all()].find((peer) => peer.record.address === dialed);
    if (expected?.session && expected.session.relayedBy === null && expected.nodeId < this.peers.selfId) {
      // The lower node id has dialed in the meantime, as it should.
      return this.giveUp(line, 'connected meanwhile', 'open');
    }
    this.ports.links.send(link, 'control', [{ kind: 'hello', ...this.introduction(line.number, expected) }]);
  }

  received(link: LinkId, lane: Lane, frames: readonly Frame[]): void {
    const peer = this.peers.ofLink(link);
    if (peer !== undefined) return this.deliver(peer, lane, frames);
    const line = this.lines.get(link);
    if (line === undefined) return;
    if (lane === 'data') {
      if (line.early.length + frames.length > EARLY_FRAMES) this.giveUp(line, 'data before the handshake', 'rejected');
      else line.early.push(...(frames as readonly DataFrame[]));
      return;
    }
    const [first, ...rest] = frames;
    if (first.kind === 'hello' && line.dialed === null) this.onHello(line, first);
    else if (first.kind === 'accept' && line.dialed !== null) this.onAccept(line, first);
    else if (first.kind === 'reject') this.onReject(line, first);
    else this.giveUp(line, `${first.kind} instead of a handshake`, 'rejected');
    if (rest.length > 0) this.received(link, lane, rest);
  }

  private deliver(peer: Peer, lane: Lane, frames: readonly Frame[]): void {
    if (lane === 'data') this.events.data(peer, frames as readonly DataFrame[]);
    else this.events.control(peer, frames);
  }

  closed(link: LinkId, end: LinkEnd, text: string): void {
    const peer = this.peers.ofLink(link);
    if (peer !== undefined) {
      this.ports.log.info('lost the session with a peer', { peer: peer.nodeId, end, text });
      return this.forget(peer, end);
    }
    const line = this.lines.get(link);
    if (line === undefined) return;
    this.drop(line);
    if (end === 'denied') this.ports.log.error('a peer was refused', { address: line.dialed, text });
    if (line.dialed !== null) this.events.dialEnded(line.dialed, end);
  }

  /** Ends a session from this side. */
  close(peer: Peer, reason: string, end: LinkEnd): void {
    if (peer.session === null) return;
    this.ports.links.close(peer.session.link, reason);
    this.forget(peer, end);
  }

  stop(): void {
    this.stopped = true;
    for (const line of [...this.lines.values()]) {
      this.drop(line);
      this.ports.links.close(line.link, 'stopped');
    }
    for (const peer of this.peers.all()) this.close(peer, 'stopped', 'ended');
  }

  private introduction(session: number, peer: Peer | undefined): Omit<Hello, 'kind'> {
    return {
      protocolMin: PROTOCOL.min,
      protocolMax: PROTOCOL.max,
      self: this.acquaintance.self(),
      digest: this.peers.digest,
      members: this.acquaintance.records(),
      session,
      lastEpoch: peer?.inbox.epoch ?? 0,
      lastReceived: peer?.inbox.last ?? 0,
      ready: this.events.isReady(),
    };
  }

  private onHello(line: Line, hello: Hello): void {
    if (this.events.hasLeft()) return this.giveUp(line, 'this node has left', 'rejected');
    const problem = this.judge(hello);
    if (problem !== null) {
      // What its side holds of this one may be the same: then this one has to refute it as well.
      if (problem.reason === 'accused') this.acquaintance.merge(hello.members, '');
      return this.reject(line, problem.reason, problem.text);
    }
    if (hello.self.nodeId > this.acquaintance.self().nodeId) {
      this.reject(line, 'redirect', 'the lower node id dials');
      this.merge(hello);
      const known = this.peers.find(hello.self.nodeId);
      if (known?.session && known.is(hello.self)) this.events.doubted(known);
      else this.events.callBack(hello.self);
      return;
    }
    if (this.isOvertaken(hello)) return this.reject(line, 'duplicate', 'there was a newer session');
    this.merge(hello);
    if (!this.isMember(hello.self))
      return this.reject(line, 'accused', 'another record of that node outranks this one');
    const peer = this.events.adopt(hello.self);
    this.ports.links.send(line.link, 'control', [{ kind: 'accept', ...this.introduction(hello.session, peer) }]);
    this.establish(peer, line, hello);
  }

  private onAccept(line: Line, accept: Accept): void {
    if (this.events.hasLeft()) return this.giveUp(line, 'this node has left', 'rejected');
    const problem = this.judge(accept);
    if (problem !== null) {
      this.reject(line, problem.reason, problem.text);
      this.events.dialEnded(line.dialed!, problem.reason === 'self' ? 'self' : 'rejected');
      return;
    }
    if (this.isOvertaken(accept)) return this.giveUp(line, 'there was a newer session', 'rejected');
    this.merge(accept);
    if (!this.isMember(accept.self)) {
      this.reject(line, 'accused', 'another record of that node outranks this one');
      this.events.dialEnded(line.dialed!, 'rejected');
      return;
    }
    this.establish(this.events.adopt(accept.self), line, accept);
    this.events.dialEnded(line.dialed!, 'open');
  }

  /** Why no session can be with who speaks; null when it can. */
  private judge({ self: other, ...speech }: Hello | Accept): { reason: Reject['reason']; text: string } | null {
    const self = this.acquaintance.self();
    if (speech.protocolMax < PROTOCOL.min || speech.protocolMin > PROTOCOL.max) {
      const text = `this node speaks protocol ${PROTOCOL.min} to ${PROTOCOL.max}, the other ${speech.protocolMin} to ${speech.protocolMax}`;
      return { reason: 'protocol', text };
    }
    if (other.nodeId === self.nodeId) {
      if (other.boot === self.boot) return { reason: 'self', text: 'this is the node itself' };
      return { reason: 'name', text: `${other.address} and ${self.address} have the same node id ${self.nodeId}` };
    }
    if (this.acquaintance.isTombstoned(other)) return { reason: 'accused', text: 'that process was declared dead' };
    const known = this.peers.find(other.nodeId);
    if (known?.session && !known.is(other)) {
      return {
        reason: 'name',
        text: `a process with node id ${other.nodeId} is connected from ${known.record.address}`,
      };
    }
    return null;
  }

  /**
   * A session that was dialed later has begun already. Even when that one is lost by now, this speech and the frames behind
   * it are from before it: interest and messages that it has replaced.
   */
  private isOvertaken({ self, session }: Hello | Accept): boolean {
    const peer = this.peers.find(self.nodeId);
    return peer?.is(self) === true && session <= peer.latestSession;
  }

  private merge({ self, members }: Hello | Accept | (Reject & { self?: MemberRecord })): void {
    const records = self === undefined ? members : this.settings.mergeMembers ? [self, ...members] : [self];
    this.acquaintance.merge(records, self?.nodeId ?? '');
  }

  private isMember(record: MemberRecord): boolean {
    const known = this.acquaintance.member(record.nodeId);
    return known !== undefined && isLive(known) && sameIdentity(known, record);
  }

  private reject(line: Line, reason: Reject['reason'], text: string): void {
    const members = this.acquaintance.records();
    this.ports.links.send(line.link, 'control', [{ kind: 'reject', reason, text, members }]);
    this.drop(line);
    this.ports.links.close(line.link, reason);
    if (reason === 'name' || reason === 'protocol') this.ports.log.error('refused a peer', { reason, text });
  }

  private onReject(line: Line, reject: Reject): void {
    const end = REJECTED[reject.reason];
    this.giveUp(line, reject.reason, end);
    this.rejected(reject, line.said);
  }

  /** Also of an open session: its dialer found this node's record dead. `said`: whom that is about, so that several accusers raise one generation. */
  rejected(reject: Reject, said: Identity = this.acquaintance.self()): void {
    if (reject.reason === 'name' || reject.reason === 'protocol')
      this.ports.log.error('a peer refused this node', { ...reject, members: undefined });
    if (reject.reason === 'accused') this.acquaintance.accused(said);
    if (this.settings.mergeMembers || reject.reason === 'accused') this.acquaintance.merge(reject.members, '');
  }

  private giveUp(line: Line, reason: string, end: DialEnd): void {
    this.drop(line);
    this.ports.links.close(line.link, reason);
    if (line.dialed !== null) this.events.dialEnded(line.dialed, end);
  }

  private drop(line: Line): void {
    line.timeout();
    this.lines.delete(line.link);
  }

  private establish(peer: Peer, line: Line, speech: Hello | Accept): void {
    this.close(peer, 'replaced by a newer session', 'ended');
    this.drop(line);
    peer.session = {
      link: line.link,
      relayedBy: this.events.relayOf(line.link),
      peerReady: speech.ready,
      bothReady: speech.ready && this.events.isReady(),
    };
    peer.latestSession = speech.session;
    peer.met = true;
    peer.resumable = true;
    this.peers.bind(peer, line.link);
    peer.outbox.sessionBegins(speech.lastEpoch, speech.lastReceived);
    this.ports.log.info('opened a session with a peer', { peer: peer.nodeId, address: peer.record.address });
    this.events.began(peer);
    if (line.early.length > 0) this.events.data(peer, line.early);
  }

  /** Everything learned through the session goes with it. */
  private forget(peer: Peer, end: LinkEnd): void {
    const { link } = peer.session!;
    peer.session = null;
    peer.sessionLostAt = this.ports.clock.now();
    peer.announced = '';
    peer.synced = '';
    peer.acked = '';
    peer.ackDue = '';
    this.peers.unbind(link);
    peer.outbox.sessionLost();
    peer.inbox.sessionLost();
    this.events.lost(peer, end);
  }
}

const REJECTED: Readonly<Record<Reject['reason'], DialEnd>> = {
  accused: 'accused',
  redirect: 'redirect',
  duplicate: 'rejected',
  protocol: 'rejected',
  self: 'self',
  name: 'rejected',
};
