/**
 * One node of the mesh, as the process (node.ts) and the simulator hold it. Its parts are listed in parts.ts. The way of a
 * publish is router.ts, of a subscribe subscribers.ts and interest.ts, of a member membership.ts.
 */
import type { Answerer } from './ask.js';
import { formatClientId } from './client-id.js';
import { explain, reportOf } from './explain.js';
import type { Frame, MemberRecord } from './frames.js';
import { Leave } from './leave.js';
import type { AskOutcome, PublishResult, SubscribeOutcome } from './message.js';
import type { MeshOptions } from './options.js';
import { Parts } from './parts.js';
import type { Peer } from './peer.js';
import type { Lane, LinkEnd, LinkEvents, LinkId, Ports, Subscriber } from './ports.js';
import type { ChannelExplanation, MeshCounts, PeerReport, Phase } from './report.js';

export class Mesh implements LinkEvents {
  readonly nodeId: string;
  /** Random number of this process, 1 .. 2^31-1. */
  readonly boot: number;
  phase: Phase = 'joining';

  private readonly of: Parts;
  private leaving: Leave | null = null;
  private onReady: () => void = () => {};
  private reportGap: (channel: string | null, peer: string, why: string) => void = () => {};
  private lastClient = 0;

  constructor(
    options: MeshOptions,
    private readonly ports: Ports,
  ) {
    this.nodeId = options.node.nodeId;
    this.boot = ports.random.uint32() & 0x7fffffff || 1;
    this.of = new Parts(options, ports, {
      boot: this.boot,
      opened: (...event) => this.opened(...event),
      received: (...event) => this.received(...event),
      drained: (...event) => this.drained(...event),
      closed: (...event) => this.closed(...event),
      check: () => this.check(),
      isOver: () => this.phase === 'left',
      leave: () => this.leaving,
      gap: (channel, peer, why) => this.raiseGap(channel, peer, why),
    });
  }

  // ── life ──

  /** Says where the HTTP API listens (host:port, for people and tools), where it was not known yet; before `start`. */
  apiAt(address: string): void {
    this.of.membership.apiAt(address);
  }

  /** Joins through the seeds (host:port; an unknown name counts as unreachable); none: begins a mesh of its own. `onReady` is called once. */
  start(seeds: readonly string[], onReady: () => void): void {
    this.onReady = onReady;
    this.of.gate.start(seeds);
    this.of.membership.start();
    this.of.router.start();
    this.of.canaries.start();
    this.of.dialer.start();
    this.dialSeeds();
    this.watch();
    this.of.turn.checkSoon();
  }

  /** Further seeds, such as the addresses that a name means now. */
  addSeeds(addresses: readonly string[]): void {
    this.of.gate.addSeeds(addresses);
    this.dialSeeds();
  }

  /** Those that may still bring something: also again, when everybody whom a joining node had met is gone. */
  private dialSeeds(): void {
    for (const address of this.of.gate.seedList()) if (this.of.gate.needs(address)) this.of.dialer.want(address);
  }

  /** Leaves politely (rule 18). `drain` is called when clients should be closed, and calls its argument when they are. */
  leave(drain: (drained: () => void) => void, done: () => void): void {
    if (this.phase === 'leaving' || this.phase === 'left') return;
    this.phase = 'leaving';
    this.leaving = new Leave(this.of, this.ports, this.of.tuning.leaveStepMs, drain, () => {
      this.stop();
      done();
    });
    this.leaving.begin();
  }

  /** Ends at once, without a word to the others (a crash, for the simulator; the last step of a process). */
  stop(): void {
    if (this.phase === 'left') return;
    this.phase = 'left';
    const { dialer, membership, router, canaries, lookups, subscribers, turn, sessions } = this.of;
    for (const part of [dialer, membership, router, canaries, lookups, subscribers]) part.stop();
    turn.last();
    sessions.stop();
  }

  /** Why this node is not ready, in words; empty when it is. */
  notReadyReasons(): string[] {
    if (this.phase === 'joining') return this.of.gate.reasons();
    if (this.phase !== 'ready') return [`this node is ${this.phase}`];
    const silent = this.of.peers.inView.filter((peer) => peer.session !== null && peer.lastEchoAt === null);
    return silent.map((peer) => `no message came back over the data link to ${peer.nodeId} yet`);
  }

  /** A client id for a new subscriber. */
  newClientId(): string {
    return formatClientId(this.boot, ++this.lastClient);
  }

  // ── subscribe and publish ──

  /**
   * The subscriber gets what is published on the channel from now on, or on all channels of a pattern (`patternName`); `done` says
   * when the whole mesh knows (rule 5), perhaps before this returns.
   */
  subscribe(
    subscriber: Subscriber,
    channel: string,
    done: (outcome: SubscribeOutcome) => void,
    options: { readonly allowDegraded?: boolean } = {},
  ): void {
    if (!this.takesPart() || this.leaving?.draining) return done({ ok: false, reason: 'not_ready' });
    this.of.subscribers.subscribe(subscriber, channel, options.allowDegraded ?? false, done);
  }
  /** False when it was not subscribed. A subscribe that still waits ends with `closed`. */
  unsubscribe(subscriber: Subscriber, channel: string): boolean {
    return this.of.subscribers.unsubscribe(subscriber, channel);
  }
  /** From all channels, from all patterns, or from both. */
  unsubscribeAll(subscriber: Subscriber, kind?: 'channel' | 'pattern'): void {
    this.of.subscribers.unsubscribeAll(subscriber, kind);
  }
  /** Channels, and patterns under their names (`patternName`). */
  channelsOf(subscriber: Subscriber): string[] {
    return this.of.subscribers.channelsOf(subscriber);
  }

  /** Null when accepted, then `done` is called once, perhaps before this returns; else why not. `data` belongs to the mesh from here on. */
  publish(
    channel: string,
    data: Uint8Array,
    binary: boolean,
    done: ((result: PublishResult) => void) | null,
  ): string | null {
    if (!this.takesPart()) return `not ready: ${this.notReadyReasons().join('; ')}`;
    return this.of.router.publish({ channel, data, binary }, done);
  }

  private takesPart(): boolean {
    return this.of.gate.open && this.phase !== 'left' && !this.leaving?.drained;
  }

  // ── requests to other nodes ──

  /** Asks another node (by id or boot; also itself), answered by its `answer` of that op. `done` is called once, later. */
  ask(target: string | number, op: string, body: Uint8Array, done: (outcome: AskOutcome) => void): void {
    if (target === this.nodeId || target === this.boot) return this.of.asks.askSelf(op, body, done);
    const nodeId = typeof target === 'string' ? target : this.of.membership.memberByBoot(target)?.nodeId;
    const peer = nodeId === undefined ? undefined : this.of.peers.find(nodeId);
    if (peer === undefined) return this.of.asks.refuse(done, 'no_such_node', `no node ${target} in this mesh`);
    this.of.asks.ask(peer, op, body, done);
  }
  answer(op: string, fn: Answerer): void {
    this.of.asks.answer(op, fn);
  }

  /** Tells how late the event loop was, in milliseconds: a node that is slow itself suspects others more slowly (Lifeguard). */
  loopDelay(ms: number): void {
    this.of.membership.loopDelay(ms);
  }

  // ── what is known ──

  /** Calls `fn` when messages from `peer` may have been missed: on that channel, or on any (null). */
  onGap(fn: (channel: string | null, peer: string, why: string) => void): void {
    this.reportGap = fn;
  }
  private raiseGap(channel: string | null, peer: Peer, why: string): void {
    this.ports.log.warn('messages may have been missed', { peer: peer.nodeId, channel, why });
    this.ports.meter.count('gaps_total');
    this.reportGap(channel, peer.nodeId, why);
  }

  self(): MemberRecord {
    return this.of.membership.self();
  }
  digest(): string {
    return this.of.peers.digest;
  }
  settled(): boolean {
    return this.of.peers.settled();
  }
  members(): PeerReport[] {
    const now = this.ports.clock.now();
    return this.of.peers.inView.map((peer) =>
      reportOf(peer, this.of.membership.member(peer.nodeId) ?? peer.record, this.of.peers.digest, now),
    );
  }
  explain(name: string): ChannelExplanation {
    const channel = this.of.channels.find(name);
    const leased = channel ? this.of.lookups.leased(channel) : null;
    return explain(name, channel, this.of.channels.matching(name), this.of.peers, leased);
  }
  counts(): MeshCounts {
    return {
      channels: this.of.subscribers.channelCount,
      patterns: this.of.subscribers.patternCount,
      subscriptions: this.of.subscribers.subscriptionCount,
      interest: this.of.interests.size,
      directory: this.of.directory.size,
      leasesGranted: this.of.leases.size,
      leasesHeld: this.of.lookups.leases,
      lookups: this.of.lookups.size,
      publishesWaiting: this.of.lookups.queued,
      subscribesWaiting: this.of.subscribers.waiting,
      tombstones: this.of.membership.tombstoneCount(),
    };
  }

  // ── links ──

  opened(link: LinkId, dialed: string | null, _remote: string): void {
    this.of.sessions.opened(link, dialed);
  }
  received(link: LinkId, lane: Lane, frames: readonly Frame[]): void {
    this.of.sessions.received(link, lane, frames);
  }
  drained(link: LinkId, lane: Lane): void {
    this.of.peers.ofLink(link)?.outbox.drained(lane);
  }
  closed(link: LinkId, end: LinkEnd, text: string): void {
    this.of.sessions.closed(link, end, text);
  }

  // ── inside ──

  /** At the end of a turn in which something was heard of views and acknowledgements. */
  private check(): void {
    if (this.phase === 'joining' && (this.of.gate.open || this.of.gate.mayOpen())) {
      this.of.gate.open = true;
      this.phase = 'ready';
      this.ports.log.info('the mesh is ready', { members: this.of.peers.inView.length + 1 });
      this.onReady();
    }
    if (this.of.peers.settled()) this.of.subscribers.reevaluateAll();
    this.leaving?.check();
  }

  /** Now and then: the gate's patience with silent seeds, and lanes that take nothing any more (rule 14). */
  private watch(): void {
    if (this.phase === 'left') return;
    this.ports.clock.after(this.of.tuning.watchMs, () => this.watch());
    this.of.gate.tick();
    if (this.phase === 'joining') this.dialSeeds();
    if (this.phase !== 'ready') this.of.turn.checkSoon();
    this.of.neighbours.closeStalled();
    this.of.neighbours.relayAround();
  }
}
