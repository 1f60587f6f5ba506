/**
 * What this node wants: telling each owner of a channel that there are subscribers here, and knowing whether it knows
 * (rules 4 and 5); and telling everybody of its patterns. Level-triggered: each registration says how things are now, under
 * a version of its own, and only the acknowledgement of the latest one counts.
 */
import type { Channel, Channels } from './channels.js';
import type { Copies } from './directory.js';
import type { RegisterEntry } from './frames.js';
import type { Peer, Session } from './peer.js';
import type { Peers } from './peers.js';
import type { Clock } from './ports.js';
import type { RuleName } from './rules.js';

/** What one owner was told about one channel, in one session. */
export interface Registration {
  readonly channel: Channel;
  readonly peer: Peer;
  readonly session: Session;
  version: number;
  acked: boolean;
}

/** This node's interest in a channel: there is a subscriber, or there was one until shortly ago. */
export interface Interest {
  readonly registrations: Registration[];
  /** This node as an owner of the channel: whoever leased its answer must know of its own interest as well. */
  own: { told: boolean } | null;
  /** Waits for the next batch of registrations. */
  dirty: boolean;
  /** When it ends, ms; null while there is a subscriber. */
  lingerUntil: number | null;
}

export interface InterestLimits {
  readonly registerBatchMs: number;
  readonly lingerMs: number;
  readonly walkChannels: number;
}

/** Entries of one REGISTER frame. */
const FRAME_ENTRIES = 1000;

export class Interests {
  /** Channels with an Interest. */
  private readonly wanted = new Set<Channel>();
  /** And patterns with one. */
  private readonly patterns = new Set<Channel>();
  private readonly dirty: Channel[] = [];
  private readonly lingering: { readonly channel: Channel; readonly until: number }[] = [];
  private readonly outgoing = new Map<Peer, RegisterEntry[]>();
  /** Walks that are not done: through all interest once a view is announced (for all peers) or a session has begun (for one). */
  private readonly walks = new Set<Walk>();
  private lastVersion = 0;

  constructor(
    private readonly channels: Channels,
    private readonly peers: Peers,
    private readonly copies: Pick<Copies, 'added' | 'removed'>,
    private readonly clock: Clock,
    private readonly limits: InterestLimits,
    private readonly without: RuleName | undefined,
    /** An owner acknowledged a registration of this channel. */
    private readonly progressed: (channel: Channel) => void,
  ) {}

  get size(): number {
    return this.wanted.size + this.patterns.size;
  }

  /** The channel has a subscriber here. */
  want(channel: Channel): void {
    if (channel.pattern !== null) return this.wantPattern(channel);
    if (channel.interest !== null) {
      channel.interest.lingerUntil = null;
      return;
    }
    // Whoever reads the answer from here on finds this node in it; those who keep an older one are told.
    channel.interest = { registrations: [], own: null, dirty: true, lingerUntil: null };
    this.wanted.add(channel);
    if (this.peers.owns(channel)) this.tellOwn(channel);
    if (this.dirty.push(channel) === 1) this.clock.after(this.limits.registerBatchMs, () => this.sendDirty());
  }

  /** The last subscriber has gone: the interest outlives it a little, so that churn costs nothing. */
  unwant(channel: Channel): void {
    if (channel.pattern !== null) {
      // Not so a pattern, which every publisher compares its channels with.
      this.withdraw(channel);
      return this.flush();
    }
    const until = this.clock.now() + this.limits.lingerMs;
    channel.interest!.lingerUntil = until;
    if (this.lingering.push({ channel, until }) === 1)
      this.clock.after(this.limits.lingerMs, () => this.endLingering());
  }

  /** All owners in the present view acknowledged the latest registration (rule 5). */
  acknowledged(channel: Channel): boolean {
    if (channel.pattern !== null) return this.knownToAll(channel);
    const owners = this.peers.owners(channel);
    const knows = (ownerId: string): boolean => {
      if (ownerId === this.peers.selfId) return channel.interest?.own?.told ?? false;
      const registration = this.find(channel, this.peers.find(ownerId));
      return registration?.acked ?? false;
    };
    return this.without === 'all-owners-acknowledge' ? owners.some(knows) : owners.every(knows);
  }

  onRegisterAck(peer: Peer, versions: readonly number[]): void {
    for (const version of versions) {
      const told = peer.unacked.get(version);
      if (told === undefined) continue;
      peer.unacked.delete(version);
      const latest = this.without === 'versioned-register-ack' ? this.find(told.channel, peer) : told;
      if (latest === undefined || (latest === told && told.version !== version)) continue;
      latest.acked = true;
      this.progressed(told.channel);
    }
  }

  /** Walks for the view before would promise too much. */
  viewChanged(): void {
    this.walks.clear();
  }

  /** Everybody gets what it lacks for the announced view, and then SYNC (rule 2). */
  registerAll(): void {
    this.walks.clear();
    this.begin({ only: null, rest: this.wanted.values() });
  }

  sessionBegan(peer: Peer): void {
    this.begin({ only: peer, rest: this.wanted.values() });
  }

  /** What it was told is forgotten there; its registrations here end with their session object. */
  sessionLost(peer: Peer): void {
    peer.unacked.clear();
    this.outgoing.delete(peer);
    for (const walk of this.walks) if (walk.only === peer) this.walks.delete(walk);
  }

  /** Ends all interest at once (rule 18). */
  withdrawAll(): void {
    for (const channel of [...this.wanted, ...this.patterns]) this.withdraw(channel);
    this.flush();
  }

  /** Everything that was said is acknowledged. */
  quiet(): boolean {
    return this.peers.inView.every((peer) => peer.unacked.size === 0);
  }

  // ── patterns: every member is told, whatever the view, and evaluates them itself when it publishes ──

  /**
   * To be called when a session begins, before the view is announced in it, so that a publisher that has heard which view this
   * node is in has all its patterns: rule 7's proof is theirs, too, and they need no sync mark.
   */
  tellPatterns(peer: Peer): void {
    for (const channel of this.patterns) {
      this.forget(channel, ({ peer, session }) => session !== peer.session);
      channel.interest!.registrations.push(this.tell(channel, peer, true));
    }
    this.flush();
  }

  /** It is told at once, lest an announcement overtakes it. */
  private wantPattern(channel: Channel): void {
    const registrations: Registration[] = [];
    channel.interest = { registrations, own: null, dirty: false, lingerUntil: null };
    this.patterns.add(channel);
    for (const peer of this.peers.all()) {
      if (peer.session !== null) registrations.push(this.tell(channel, peer, true));
    }
    this.flush();
  }

  private knownToAll({ interest }: Channel): boolean {
    let known = 0;
    for (const { peer, session, acked } of interest?.registrations ?? []) {
      if (acked && peer.inView && session === peer.session) known++;
    }
    const all = this.peers.inView.length;
    return this.without === 'all-owners-acknowledge' ? known >= Math.min(1, all) : known === all;
  }

  // ── channels: their owners in the present view are told ──

  private find(channel: Channel, peer: Peer | undefined): Registration | undefined {
    return channel.interest?.registrations.find((one) => one.peer === peer && one.session === peer.session);
  }

  private sendDirty(): void {
    for (const channel of this.dirty.splice(0)) if (channel.interest?.dirty) this.place(channel, null);
    this.flush();
  }

  /** Registers the channel where it lacks: at `only`, or at every owner. */
  private place(channel: Channel, only: Peer | null): void {
    const interest = channel.interest!;
    if (only === null) interest.dirty = false;
    const owners = this.peers.owners(channel);
    if (!channel.owned) interest.own = null;
    else if (interest.own === null) this.tellOwn(channel);
    this.forget(channel, ({ peer, session }) => session !== peer.session);
    const { registrations } = interest;
    for (const ownerId of owners) {
      const peer = this.peers.find(ownerId);
      if (peer === undefined || peer.session === null || (only !== null && peer !== only)) continue;
      if (!registrations.some((one) => one.peer === peer)) registrations.push(this.tell(channel, peer, true));
    }
  }

  /**
   * From who owns it no more. Only once the view that says so is announced: until then the peer answers for the view before,
   * and takes this node's sync mark of it for the proof that no row is missing.
   */
  private takeBack(channel: Channel): void {
    const owners = this.peers.owners(channel);
    this.forget(channel, ({ peer, session }) => {
      if (session !== peer.session || owners.includes(peer.nodeId)) return false;
      this.tell(channel, peer, false);
      return true;
    });
  }

  private forget(channel: Channel, isOver: (registration: Registration) => boolean): void {
    const { registrations } = channel.interest!;
    for (let i = registrations.length - 1; i >= 0; i--) if (isOver(registrations[i])) registrations.splice(i, 1);
  }

  private tellOwn(channel: Channel): void {
    const own = { told: false };
    channel.interest!.own = own;
    let within = true;
    this.copies.added(channel, this.peers.selfId, () => {
      own.told = true;
      if (!within && channel.interest?.own === own) this.progressed(channel);
    });
    within = false;
  }

  private tell(channel: Channel, peer: Peer, on: boolean): Registration {
    const version = ++this.lastVersion;
    const told = { channel, peer, session: peer.session!, version, acked: false };
    peer.unacked.set(version, told);
    const entries = this.outgoing.get(peer);
    const entry = { channel: channel.name, version, on };
    if (entries) entries.push(entry);
    else this.outgoing.set(peer, [entry]);
    return told;
  }

  private flush(): void {
    for (const [peer, entries] of this.outgoing) {
      for (let i = 0; i < entries.length; i += FRAME_ENTRIES) {
        peer.outbox.sendControl({ kind: 'register', entries: entries.slice(i, i + FRAME_ENTRIES) });
      }
    }
    this.outgoing.clear();
  }

  private begin(walk: Walk): void {
    this.walks.add(walk);
    if (this.without === 'sync-after-registers') this.sync(walk);
    this.step(walk);
  }

  private step(walk: Walk): void {
    if (!this.walks.has(walk)) return;
    for (let left = this.limits.walkChannels; left > 0; left--) {
      const next = walk.rest.next();
      if (next.done) {
        this.walks.delete(walk);
        this.flush();
        this.sync(walk);
        return;
      }
      this.place(next.value, walk.only);
      if (walk.only === null) this.takeBack(next.value);
    }
    this.flush();
    this.clock.after(0, () => this.step(walk));
  }

  /** Peers with a walk of their own get their SYNC at its end. */
  private sync({ only }: Walk): void {
    const later = new Set([...this.walks].map((walk) => (walk.only === only ? null : walk.only)));
    for (const peer of only ? [only] : this.peers.inView) {
      if (peer.session !== null && !later.has(peer))
        peer.outbox.sendControl({ kind: 'sync', digest: this.peers.digest });
    }
  }

  private endLingering(): void {
    const now = this.clock.now();
    let over = 0;
    for (; over < this.lingering.length && this.lingering[over].until <= now; over++) {
      const { channel, until } = this.lingering[over];
      if (channel.interest?.lingerUntil === until) this.withdraw(channel);
    }
    this.lingering.splice(0, over);
    this.flush();
    if (this.lingering.length > 0) this.clock.after(this.lingering[0].until - now, () => this.endLingering());
  }

  private withdraw(channel: Channel): void {
    for (const { peer, session } of channel.interest!.registrations) {
      if (session === peer.session) this.tell(channel, peer, false);
    }
    channel.interest = null;
    this.copies.removed(channel, this.peers.selfId);
    this.wanted.delete(channel);
    this.patterns.delete(channel);
    this.channels.release(channel);
  }
}

interface Walk {
  readonly only: Peer | null;
  readonly rest: Iterator<Channel>;
}
