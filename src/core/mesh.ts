/**
 * One node of the mesh: puts the parts of the core together, and is what the process (node.ts) and the simulator hold.
 * The way of a publish is router.ts, of a subscribe subscribers.ts and interest.ts, of a member membership.ts.
 */
import { Announcer } from './announce.js';
import { type Answerer, Asks } from './ask.js';
import { Canaries } from './canary.js';
import { Channels } from './channels.js';
import { formatClientId } from './client-id.js';
import { Dialer } from './dialer.js';
import { Directory } from './directory.js';
import { explain, reportOf } from './explain.js';
import type { Frame, MemberRecord, MembershipFrame } from './frames.js';
import { Gate } from './gate.js';
import { Incoming } from './incoming.js';
import { Interests } from './interest.js';
import { Leases } from './leases.js';
import { Leave } from './leave.js';
import { Lookups } from './lookup.js';
import { Membership } from './membership.js';
import type { AskOutcome, PublishResult, SubscribeOutcome } from './message.js';
import { Neighbours } from './neighbours.js';
import { DEFAULTS, type MeshOptions, type Tuning } from './options.js';
import type { Peer } from './peer.js';
import { Peers } from './peers.js';
import type { Lane, LinkEnd, LinkEvents, LinkId, Ports, Subscriber } from './ports.js';
import { PROFILES } from './profiles.js';
import type { ChannelExplanation, MeshCounts, PeerReport, Phase } from './report.js';
import { Router } from './router.js';
import { Sessions } from './session.js';
import { Subscribers } from './subscribers.js';
import { Turn } from './turn.js';

export class Mesh implements LinkEvents {
  readonly nodeId: string;
  /** Random number of this process, 1 .. 2^31-1. */
  readonly boot: number;
  phase: Phase = 'joining';

  private readonly tuning: Tuning;
  private readonly membership: Membership;
  private readonly peers: Peers;
  private readonly sessions: Sessions;
  private readonly dialer: Dialer;
  private readonly gate: Gate;
  private readonly announcer: Announcer;
  private readonly channels = new Channels();
  private readonly interests: Interests;
  private readonly subscribers: Subscribers;
  private readonly directory: Directory;
  private readonly leases: Leases;
  private readonly lookups: Lookups;
  private readonly router: Router;
  private readonly asks: Asks;
  private readonly canaries: Canaries;
  private readonly incoming: Incoming;
  private readonly neighbours: Neighbours;
  private readonly turn: Turn;
  private leaving: Leave | null = null;
  private onReady: () => void = () => {};
  private gap: (channel: string | null, peer: string, why: string) => void = () => {};
  private lastClient = 0;

  constructor(
    readonly options: MeshOptions,
    readonly ports: Ports,
  ) {
    const { clock, random, links, sockets, log, meter } = ports;
    const { without } = options;
    const tuning = { ...DEFAULTS, ...options.tuning };
    this.tuning = tuning;
    this.nodeId = options.node.nodeId;
    this.boot = random.uint32() & 0x7fffffff || 1;
    this.membership = new Membership(
      { ...options.node, boot: this.boot },
      { timings: PROFILES[tuning.profile], ring: tuning, genInDigest: without !== 'gen-in-digest' },
      {
        clock,
        random,
        log,
        meter,
        send: (nodeId, frame) => this.sendTo(nodeId, frame),
        changed: (change) => this.neighbours.viewChanged(change),
      },
    );
    this.peers = new Peers(this.nodeId, this.membership.viewNow());
    const mergeMembers = without !== 'merge-members';
    this.sessions = new Sessions(
      this.membership,
      this.peers,
      links,
      clock,
      log,
      tuning.handshakeMs,
      mergeMembers,
      () => this.gate.open,
      {
        adopt: (record) => this.neighbours.adopt(record),
        began: (peer) => this.neighbours.sessionBegan(peer),
        lost: (peer, end) => this.neighbours.sessionLost(peer, end),
        control: (peer, frames) => this.incoming.control(peer, frames),
        data: (peer, frames) => this.incoming.data(peer, frames),
        dialEnded: (address, end) => this.neighbours.dialEnded(address, end),
        callBack: (record) => this.dialer.callBack(record),
      },
    );
    this.dialer = new Dialer(tuning, {
      clock,
      random,
      wanted: (address) => this.isWanted(address),
      isDialing: (address) => this.sessions.isDialing(address),
      dial: (address) => this.sessions.dial(address),
      strays: () => this.membership.candidates(this.gate.seedList()).filter((one) => one !== options.node.address),
    });
    this.gate = new Gate(this.peers, clock, tuning);
    this.announcer = new Announcer(this.peers, this.membership, mergeMembers, () => this.turn.checkSoon());
    this.turn = new Turn(clock, this.membership, this.announcer, () => this.check());
    this.leases = new Leases(this.channels, this.peers, clock, tuning, without);
    this.interests = new Interests(this.channels, this.peers, clock, tuning, without, this.leases, (channel) =>
      this.subscribers.reevaluate(channel),
    );
    const registrar = {
      want: this.interests.want.bind(this.interests),
      unwant: this.interests.unwant.bind(this.interests),
      acknowledged: (channel: Parameters<Interests['want']>[0]) =>
        (without === 'settled' || this.peers.settled()) && this.interests.acknowledged(channel),
    };
    this.subscribers = new Subscribers(this.channels, registrar, sockets, clock, tuning);
    this.directory = new Directory(this.channels, this.peers, this.leases, without, (peer, version) => {
      peer.registerAcks.push(version);
      this.turn.wake(peer);
    });
    this.router = new Router(
      this.channels,
      this.peers,
      this.subscribers,
      { publish: (channel, queued) => this.lookups.publish(channel, queued) },
      clock,
      meter,
      tuning,
      without,
    );
    this.lookups = new Lookups(this.channels, this.peers, this.router, clock, meter, tuning, without);
    this.asks = new Asks(clock, tuning);
    this.canaries = new Canaries(this.peers, clock, tuning.canaryMs);
    const parts = {
      membership: this.membership,
      peers: this.peers,
      sessions: this.sessions,
      dialer: this.dialer,
      gate: this.gate,
      announcer: this.announcer,
      interests: this.interests,
      directory: this.directory,
      leases: this.leases,
      lookups: this.lookups,
      router: this.router,
      asks: this.asks,
      canaries: this.canaries,
      turn: this.turn,
    };
    this.neighbours = new Neighbours(parts, ports, tuning);
    this.incoming = new Incoming({
      ...parts,
      leave: () => this.leaving,
      isReady: () => this.gate.open,
      wake: (peer) => this.turn.wake(peer),
      checkSoon: () => this.turn.checkSoon(),
      gap: (channel, peer, why) => this.raiseGap(channel, peer, why),
    });
    this.gate.open = without === 'join-gate';
  }

  // ── life ──

  /** Says where the HTTP API listens (host:port, for people and tools), where it was not known yet; before `start`. */
  apiAt(address: string): void {
    this.membership.apiAt(address);
  }

  /** Joins through the seeds (host:port; an unknown name counts as unreachable); none: begins a mesh of its own. `onReady` is called once. */
  start(seeds: readonly string[], onReady: () => void): void {
    this.onReady = onReady;
    this.gate.start(seeds);
    this.membership.start();
    this.router.start();
    this.canaries.start();
    this.dialer.start();
    for (const seed of seeds) this.dialer.want(seed);
    this.watch();
    this.turn.checkSoon();
  }

  /** Further seeds, such as the addresses that a name means now. */
  addSeeds(addresses: readonly string[]): void {
    this.gate.addSeeds(addresses);
    for (const address of addresses) if (this.gate.needs(address)) this.dialer.want(address);
  }

  /** Leaves politely (rule 18). `drain` is called when clients should be closed, and calls its argument when they are. */
  leave(drain: (drained: () => void) => void, done: () => void): void {
    if (this.phase === 'leaving' || this.phase === 'left') return;
    this.phase = 'leaving';
    const { clock, log } = this.ports;
    this.leaving = new Leave(
      this.membership,
      this.peers,
      this.interests,
      this.leases,
      clock,
      log,
      this.tuning.leaveStepMs,
      drain,
      () => {
        this.stop();
        done();
      },
    );
    this.leaving.begin();
  }

  /** Ends at once, without a word to the others (a crash, for the simulator; the last step of a process). */
  stop(): void {
    this.phase = 'left';
    this.dialer.stop();
    this.membership.stop();
    this.turn.end();
    this.sessions.stop();
  }

  /** Why this node is not ready, in words; empty when it is. */
  notReadyReasons(): string[] {
    if (this.phase === 'joining') return this.gate.reasons();
    if (this.phase !== 'ready') return [`this node is ${this.phase}`];
    const silent = this.peers.inView.filter((peer) => peer.session !== null && peer.lastEchoAt === null);
    return silent.map((peer) => `no message came back over the data link to ${peer.nodeId} yet`);
  }

  /** A client id for a new subscriber. */
  newClientId(): string {
    return formatClientId(this.boot, ++this.lastClient);
  }

  // ── subscribe and publish ──

  /** The subscriber gets what is published on the channel from now on; `done` says when the whole mesh knows (rule 5), perhaps before this returns. */
  subscribe(
    subscriber: Subscriber,
    channel: string,
    done: (outcome: SubscribeOutcome) => void,
    options: { readonly allowDegraded?: boolean } = {},
  ): void {
    if (!this.takesPart()) return done({ ok: false, reason: 'not_ready' });
    this.subscribers.subscribe(subscriber, channel, options.allowDegraded ?? false, done);
  }
  /** False when it was not subscribed. A subscribe that still waits ends with `closed`. */
  unsubscribe(subscriber: Subscriber, channel: string): boolean {
    return this.subscribers.unsubscribe(subscriber, channel);
  }
  unsubscribeAll(subscriber: Subscriber): void {
    this.subscribers.unsubscribeAll(subscriber);
  }
  channelsOf(subscriber: Subscriber): string[] {
    return this.subscribers.channelsOf(subscriber);
  }

  /** Null when accepted, then `done` is called once, perhaps before this returns; else why not. `data` belongs to the mesh from here on. */
  publish(
    channel: string,
    data: Uint8Array,
    binary: boolean,
    done: ((result: PublishResult) => void) | null,
  ): string | null {
    if (!this.takesPart()) return `not ready: ${this.notReadyReasons().join('; ')}`;
    return this.router.publish({ channel, data, binary }, done);
  }

  private takesPart(): boolean {
    return this.phase === 'ready' || this.phase === 'leaving';
  }

  // ── requests to other nodes ──

  /** Asks another node (by id or boot; also itself), answered by its `answer` of that op. `done` is called once, later. */
  ask(target: string | number, op: string, body: Uint8Array, done: (outcome: AskOutcome) => void): void {
    if (target === this.nodeId || target === this.boot) return this.asks.askSelf(op, body, done);
    const nodeId = typeof target === 'string' ? target : this.membership.memberByBoot(target)?.nodeId;
    const peer = nodeId === undefined ? undefined : this.peers.find(nodeId);
    if (peer === undefined) return this.asks.refuse(done, 'no_such_node', `no node ${target} in this mesh`);
    this.asks.ask(peer, op, body, done);
  }
  answer(op: string, fn: Answerer): void {
    this.asks.answer(op, fn);
  }

  /** Tells how late the event loop was, in milliseconds: a node that is slow itself suspects others more slowly (Lifeguard). */
  loopDelay(ms: number): void {
    this.membership.loopDelay(ms);
  }

  // ── what is known ──

  /** Calls `fn` when messages from `peer` may have been missed: on that channel, or on any (null). */
  onGap(fn: (channel: string | null, peer: string, why: string) => void): void {
    this.gap = fn;
  }
  private raiseGap(channel: string | null, peer: Peer, why: string): void {
    this.ports.log.warn('messages may have been missed', { peer: peer.nodeId, channel, why });
    this.ports.meter.count('gaps_total');
    this.gap(channel, peer.nodeId, why);
  }

  self(): MemberRecord {
    return this.membership.self();
  }
  digest(): string {
    return this.peers.digest;
  }
  settled(): boolean {
    return this.peers.settled();
  }
  members(): PeerReport[] {
    const now = this.ports.clock.now();
    return this.peers.inView.map((peer) => reportOf(peer, this.peers.digest, now));
  }
  explain(name: string): ChannelExplanation {
    const channel = this.channels.find(name);
    return explain(name, channel, this.peers, this.lookups.leased(channel?.publisher ?? null));
  }
  counts(): MeshCounts {
    return {
      channels: this.subscribers.channelCount,
      subscriptions: this.subscribers.subscriptionCount,
      interest: this.interests.size,
      directory: this.directory.size,
      leasesGranted: this.leases.size,
      leasesHeld: this.lookups.leases,
      lookups: this.lookups.size,
      publishesWaiting: this.lookups.queued,
      subscribesWaiting: this.subscribers.waiting,
      tombstones: this.membership.tombstoneCount(),
    };
  }

  // ── links ──

  opened(link: LinkId, dialed: string | null, _remote: string): void {
    this.sessions.opened(link, dialed);
  }
  received(link: LinkId, lane: Lane, frames: readonly Frame[]): void {
    this.sessions.received(link, lane, frames);
  }
  drained(link: LinkId, lane: Lane): void {
    this.peers.ofLink(link)?.outbox.drained(lane);
  }
  closed(link: LinkId, end: LinkEnd, text: string): void {
    this.sessions.closed(link, end, text);
  }

  // ── inside ──

  private sendTo(nodeId: string, frame: MembershipFrame): boolean {
    const peer = this.peers.find(nodeId);
    if (!peer?.session) return false;
    peer.outbox.sendControl(frame);
    return true;
  }

  private isWanted(address: string): boolean {
    if (this.phase === 'left') return false;
    const missing = this.peers.inView.some((peer) => peer.session === null && peer.record.address === address);
    return missing || this.gate.needs(address);
  }

  /** At the end of a turn in which something was heard of views and acknowledgements. */
  private check(): void {
    if (this.phase === 'joining' && (this.gate.open || this.gate.reasons().length === 0)) {
      this.gate.open = true;
      this.phase = 'ready';
      this.ports.log.info('ready', { node: this.nodeId, members: this.peers.inView.length + 1 });
      this.onReady();
    }
    if (this.peers.settled()) this.subscribers.reevaluateAll();
    this.leaving?.check();
  }

  /** Now and then: the gate's patience with silent seeds, and lanes that take nothing any more (rule 14). */
  private watch(): void {
    if (this.phase === 'left') return;
    this.ports.clock.after(this.tuning.watchMs, () => this.watch());
    if (this.phase === 'joining') this.turn.checkSoon();
    this.neighbours.closeStalled();
  }
}
