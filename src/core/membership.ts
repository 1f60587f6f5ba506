/**
 * Who belongs to the mesh, as this node sees it: the table of members, what changes it (news, probes, lost links), and the
 * view that follows from it. SWIM with Lifeguard; ROUTING.md "Identity and view" and rules 11, 12 and 18. Which record wins
 * is member.ts; sessions and announcements are the mesh's.
 */
import type { Identity, MemberRecord, MembershipFrame } from './frames.js';
import { LocalHealth } from './health.js';
import { isLive, precedence, sameIdentity } from './member.js';
import type { Clock, LinkEnd, Log, Meter, Random } from './ports.js';
import { Prober } from './prober.js';
import type { Timings } from './profiles.js';
import type { RingShape } from './ring.js';
import { Spread } from './spread.js';
import { Suspects } from './suspects.js';
import { Tombstones } from './tombstones.js';
import { compareViews, View, type ViewChange } from './view.js';

export type MembershipSelf = Pick<MemberRecord, 'nodeId' | 'address' | 'api' | 'version' | 'boot'>;

export interface MembershipSettings {
  readonly timings: Timings;
  readonly ring: RingShape;
  /** False leaves the rule `gen-in-digest` out, for the simulator. */
  readonly genInDigest?: boolean;
}

export interface MembershipRoles {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly meter: Meter;
  /** On that member's control stream; false when there is no session with it. */
  send(nodeId: string, frame: MembershipFrame): boolean;
  /** The view is another one now. Called at the end of the turn, once for all that happened in it. */
  changed(change: ViewChange): void;
}

/** Ends of members that `records` tells of, newest first, so that both sides of a healed partition learn what was said of them. */
const TOLD_TOMBSTONES = 128;

export class Membership {
  private me: MemberRecord;
  /** Live members, oneself included until it has left. */
  private readonly table = new Map<string, MemberRecord>();
  private readonly byBoot = new Map<number, string>();
  private readonly tombstones: Tombstones;
  private readonly suspects: Suspects;
  private readonly health: LocalHealth;
  private readonly prober: Prober;
  private readonly spread: Spread;
  /** When each name's record last changed, in changes of this table, in that order. */
  private readonly changedAt = new Map<string, number>();
  private changeNumber = 0;
  private lastTold: { since: number; at: number; records: readonly MemberRecord[] } = { since: 0, at: 0, records: [] };
  private current: View;
  private changing = false;
  /** Names that came back from the dead in this turn, as the same process. */
  private returned = new Set<string>();
  /** Names of `table` but one's own; null when it must be made again. */
  private otherNames: readonly string[] | null = null;

  constructor(
    self: MembershipSelf,
    private readonly settings: MembershipSettings,
    private readonly roles: MembershipRoles,
  ) {
    const { timings } = settings;
    this.me = { ...self, gen: 0, incarnation: 0, state: 'alive', role: 'full', accuser: '' };
    this.keep(this.me);
    this.tombstones = new Tombstones(timings.tombstoneMs, timings.tombstones);
    this.health = new LocalHealth(timings.probeTimeoutMs / 2);
    this.suspects = new Suspects(timings, roles.clock, (nodeId) => this.expired(nodeId));
    const shared = {
      clock: roles.clock,
      random: roles.random,
      send: (nodeId: string, frame: MembershipFrame) => this.roles.send(nodeId, frame),
      others: () => this.others(),
    };
    this.spread = new Spread(timings, { ...shared, records: () => this.records() });
    this.prober = new Prober(timings, this.health, {
      ...shared,
      isOther: (nodeId) => nodeId !== this.me.nodeId && this.table.has(nodeId),
      news: (nodeId) => this.newsFor(nodeId),
      reached: (nodeId) => this.suspects.reached(nodeId),
      unreached: (nodeId) => this.suspect(nodeId),
    });
    this.current = new View(this.table.values(), settings.ring, settings.genInDigest);
  }

  /** Says where the HTTP API listens; before `start`, because a port may be known only once it is bound. */
  apiAt(address: string): void {
    this.me = { ...this.me, api: address };
    this.keep(this.me);
    this.current = new View(this.table.values(), this.settings.ring, this.settings.genInDigest);
  }

  start(): void {
    this.prober.start();
    this.spread.start();
  }

  stop(): void {
    this.prober.stop();
    this.spread.stop();
    this.suspects.closeAll();
  }

  self(): MemberRecord {
    return this.me;
  }

  /** The view, its digest and its ring change together, at the moment of `changed`. */
  viewNow(): View {
    return this.current;
  }
  view(): readonly MemberRecord[] {
    return this.current.members;
  }
  digest(): string {
    return this.current.digest;
  }

  /** The newest record of that name, dead or left ones included; ahead of the view by at most one turn. */
  member(nodeId: string): MemberRecord | undefined {
    return this.table.get(nodeId) ?? this.tombstones.get(nodeId);
  }
  /** The live member that is this process. */
  memberByBoot(boot: number): MemberRecord | undefined {
    const nodeId = this.byBoot.get(boot);
    return nodeId === undefined ? undefined : this.table.get(nodeId);
  }

  /** All live members and the newest tombstones: what HELLO, ACCEPT, REJECT, ANN and a state exchange tell. */
  records(): MemberRecord[] {
    return [...this.table.values(), ...this.tombstones.newest(TOLD_TOMBSTONES)];
  }
  /** Counts the changes of the table, suspicions included. */
  changeCount(): number {
    return this.changeNumber;
  }
  /** Those of `records` that changed since the count was `count`. All peers are asked about at once, mostly with one count. */
  recordsSince(count: number): readonly MemberRecord[] {
    if (count === 0) return this.records();
    if (this.lastTold.since !== count || this.lastTold.at !== this.changeNumber) {
      this.lastTold = { since: count, at: this.changeNumber, records: this.changedSince(count) };
    }
    return this.lastTold.records;
  }
  private changedSince(count: number): MemberRecord[] {
    const changed: MemberRecord[] = [];
    for (const [nodeId, at] of this.changedAt) {
      if (at <= count) continue;
      const record = this.member(nodeId);
      if (record === undefined) this.changedAt.delete(nodeId);
      else changed.push(record);
    }
    return changed;
  }
  tombstoneCount(): number {
    return this.tombstones.size;
  }

  /** True when that identity may not come in: it ended, or a newer process or generation of its name is known. Answer ACCUSED. */
  isTombstoned(identity: Identity): boolean {
    const known = this.member(identity.nodeId);
    if (known === undefined) return false;
    if (sameIdentity(known, identity)) return !isLive(known);
    return known.gen > identity.gen || (known.gen === identity.gen && known.boot > identity.boot);
  }

  /** Takes in what another node told of members. */
  merge(records: readonly MemberRecord[]): void {
    for (const record of records) {
      if (record.nodeId === this.me.nodeId) this.hearOfMyself(record);
      else this.hearOf(record);
    }
  }

  received(from: string, frame: MembershipFrame): void {
    if (frame.kind === 'state') {
      this.merge(frame.members);
      if (!frame.reply) this.roles.send(from, { kind: 'state', reply: true, members: this.records() });
      return;
    }
    if (frame.kind !== 'pingNack') this.merge(frame.updates);
    if (frame.kind !== 'gossip') this.prober.received(from, frame);
  }

  /**
   * The link to a member broke or could not be opened. `refused` proves that nobody listens there: suspicion begins at once
   * and is short, unless somebody else still reaches it. So after a reset both sides should dial, whoever dials usually.
   */
  linkLost(nodeId: string, end: LinkEnd): void {
    if (nodeId === this.me.nodeId || !this.table.has(nodeId)) return;
    if (end !== 'refused') return this.prober.probeSoon(nodeId);
    this.suspect(nodeId);
    this.suspects.refused(nodeId);
    this.prober.askAround(nodeId);
  }

  /** There is a session with that member again. A suspect learns of it at once, so that it can refute. */
  linkRestored(nodeId: string): void {
    this.suspects.reached(nodeId);
    const record = this.table.get(nodeId);
    if (record?.state === 'suspect') this.roles.send(nodeId, { kind: 'gossip', updates: [record] });
  }

  /** The event loop was blocked for at most so long since the last report. */
  loopDelay(ms: number): void {
    this.health.loopDelay(ms);
  }

  /** Somebody answered ACCUSED to that identity: if it is still mine, I go on under the next generation. */
  accused(identity: Identity = this.me): void {
    if (sameIdentity(identity, this.me) && isLive(this.me)) this.raise(this.me.gen + 1);
  }

  /** Rule 18, first step: no owner any more, still in the view. */
  leave(): void {
    if (this.me.role === 'leaving') return;
    this.become({ ...this.me, role: 'leaving', incarnation: this.me.incarnation + 1 });
  }

  /** Rule 18, last step: tells every member and falls silent. Close the links after it. */
  left(): void {
    if (!isLive(this.me)) return;
    this.me = { ...this.me, state: 'left' };
    this.stop();
    for (const nodeId of this.others()) this.roles.send(nodeId, { kind: 'gossip', updates: [this.me] });
  }

  /** Addresses to try again now and then, so that partitions heal: of dead members, and seeds that no live member has. */
  candidates(seeds: readonly string[] = []): string[] {
    const alive = new Set([...this.table.values()].map((member) => member.address));
    const dead = this.tombstones.newest(TOLD_TOMBSTONES).filter((member) => member.state === 'dead');
    const addresses = new Set([...seeds, ...dead.map((member) => member.address)]);
    return [...addresses].filter((address) => !alive.has(address));
  }

  private hearOf(record: MemberRecord): void {
    const known = this.member(record.nodeId);
    const order = known === undefined ? 1 : precedence(record, known);
    if (order > 0) this.apply(record, known);
    else if (order === 0 && record.state === 'suspect') this.confirm(record);
  }

  /** News about this very node: refuted with a higher incarnation or, when it is said to be dead or replaced, generation. */
  private hearOfMyself(record: MemberRecord): void {
    if (!isLive(this.me) || precedence(record, this.me) <= 0) return;
    if (sameIdentity(record, this.me) && isLive(record)) {
      this.health.refuted();
      this.roles.meter.count('refutations_total', 1, 'suspicion');
      this.become({ ...this.me, incarnation: record.incarnation + 1 });
    } else this.raise(record.gen + 1);
  }

  private raise(gen: number): void {
    this.roles.log.warn('another node holds this one for dead or replaced; going on under a new generation', { gen });
    this.roles.meter.count('refutations_total', 1, 'death');
    this.become({ ...this.me, gen, incarnation: 0 });
  }

  private become(me: MemberRecord): void {
    this.me = me;
    this.keep(me);
    this.spread.add(me);
    this.changes();
  }

  private suspect(nodeId: string): void {
    const known = this.table.get(nodeId);
    if (known === undefined) return;
    const suspected: MemberRecord = { ...known, state: 'suspect', accuser: this.me.nodeId };
    if (known.state === 'suspect') this.confirm(suspected);
    else this.apply(suspected, known);
  }

  private confirm(record: MemberRecord): void {
    if (!this.suspects.confirm(record.nodeId, record.accuser)) return;
    this.keep(record);
    this.spread.add(record);
  }

  private expired(nodeId: string): void {
    const known = this.table.get(nodeId);
    if (known === undefined) return;
    this.apply({ ...known, state: 'dead', accuser: this.me.nodeId }, known);
  }

  /** `record` overrides what is known of that member. */
  private apply(record: MemberRecord, known: MemberRecord | undefined): void {
    const { nodeId } = record;
    this.suspects.close(nodeId);
    if (known !== undefined) this.byBoot.delete(known.boot);
    if (isLive(record)) {
      this.tombstones.remove(nodeId);
      if (known === undefined || !sameIdentity(record, known)) this.prober.joined(nodeId);
      if (known?.state === 'dead' && known.boot === record.boot) this.returned.add(nodeId);
      this.keep(record);
    } else {
      this.table.delete(nodeId);
      this.tombstones.add(record, this.roles.clock.now(), known !== undefined);
      this.mark(nodeId);
    }
    if (record.state === 'suspect') {
      this.suspects.open(nodeId, record.accuser, this.table.size);
      if (record.accuser !== this.me.nodeId) this.prober.suspectedElsewhere(nodeId);
      this.roles.meter.count('suspicions_total');
      this.roles.log.info('member suspected', { member: nodeId, accuser: record.accuser });
    }
    // The end of somebody never met is no news to anybody.
    if (isLive(record) || known !== undefined) this.spread.add(record);
    this.changes();
  }

  private keep(record: MemberRecord): void {
    this.table.set(record.nodeId, record);
    this.byBoot.set(record.boot, record.nodeId);
    this.mark(record.nodeId);
  }

  private mark(nodeId: string): void {
    this.changedAt.delete(nodeId);
    this.changedAt.set(nodeId, ++this.changeNumber);
  }

  private others(): readonly string[] {
    this.otherNames ??= [...this.table.keys()].filter((nodeId) => nodeId !== this.me.nodeId);
    return this.otherNames;
  }

  /** Whoever is suspected, or held for dead, is always told so first, and can refute (Lifeguard's buddy system). */
  private newsFor(nodeId: string): MemberRecord[] {
    const news = this.spread.take();
    const record = this.member(nodeId);
    return record === undefined || record.state === 'alive' || news.includes(record) ? news : [record, ...news];
  }

  private changes(): void {
    this.otherNames = null;
    if (this.changing) return;
    this.changing = true;
    this.roles.clock.endOfTurn(() => this.reportNow());
  }

  /** Reports what changed in this turn already now: before something is said that must not be older than it. */
  reportNow(): void {
    if (!this.changing) return;
    this.changing = false;
    const before = this.current;
    const view = new View(this.table.values(), this.settings.ring, this.settings.genInDigest);
    const { returned } = this;
    this.returned = new Set();
    const change = compareViews(before, view, this.me.nodeId, (nodeId) => this.member(nodeId), returned);
    if (change === null) return;
    this.current = view;
    for (const { nodeId, address } of change.joined) this.roles.log.info('member joined', { member: nodeId, address });
    for (const { member, how } of change.gone) this.roles.log.info(`member ${how}`, { member: member.nodeId });
    this.roles.changed(change);
  }
}
