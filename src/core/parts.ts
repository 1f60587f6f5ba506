/**
 * The parts of one node and what each is given: a list to read from top to bottom. Each field names the roles that the part
 * uses; arrows are for parts further down. What the parts do together is neighbours.ts, incoming.ts and turn.ts.
 */
import { Announcer } from './announce.js';
import { Asks } from './ask.js';
import { Canaries } from './canary.js';
import { type Channel, Channels } from './channels.js';
import { Dialer } from './dialer.js';
import { Directory } from './directory.js';
import type { MembershipFrame } from './frames.js';
import { Gate } from './gate.js';
import { Incoming } from './incoming.js';
import { Interests } from './interest.js';
import { Leases } from './leases.js';
import type { Leave } from './leave.js';
import { Lookups } from './lookup.js';
import { Membership } from './membership.js';
import { Neighbours } from './neighbours.js';
import { DEFAULTS, type MeshOptions, type Tuning } from './options.js';
import type { Peer } from './peer.js';
import { Peers } from './peers.js';
import type { LinkEvents, Ports } from './ports.js';
import { PROFILES } from './profiles.js';
import { RelayedLinks } from './relay.js';
import { Router } from './router.js';
import { Sessions } from './session.js';
import { Subscribers } from './subscribers.js';
import { Turn } from './turn.js';

/** What the parts ask of the Mesh that holds them. */
export interface Holder extends LinkEvents {
  readonly boot: number;
  /** Looks at what waits for this node to be settled. */
  check(): void;
  isOver(): boolean;
  leave(): Leave | null;
  gap(channel: string | null, peer: Peer, why: string): void;
}

/** What all parts are made from; set before the fields of Parts are. */
class Given {
  readonly tuning: Tuning;

  constructor(
    readonly options: MeshOptions,
    readonly ports: Ports,
    readonly holder: Holder,
  ) {
    this.tuning = { ...DEFAULTS, ...options.tuning };
  }

  get without() {
    return this.options.without;
  }
}

export class Parts extends Given {
  readonly channels = new Channels();

  readonly membership: Membership = new Membership(
    { ...this.options.node, boot: this.holder.boot },
    { timings: PROFILES[this.tuning.profile], ring: this.tuning, genInDigest: this.without !== 'gen-in-digest' },
    {
      ...this.ports,
      send: (nodeId, frame) => this.sendTo(nodeId, frame),
      changed: (change) => this.neighbours.viewChanged(change),
    },
  );

  readonly peers = new Peers(this.options.node.nodeId, this.membership.viewNow());

  readonly relays = new RelayedLinks(this.ports.links, this.peers, this.ports.clock, this.tuning, this.holder);

  readonly sessions: Sessions = new Sessions(
    this.membership,
    this.peers,
    { ...this.ports, links: this.relays },
    { handshakeMs: this.tuning.handshakeMs, mergeMembers: this.without !== 'merge-members' },
    {
      isReady: () => this.gate.open,
      hasLeft: () => this.holder.leave()?.saidGoodbye ?? false,
      relayOf: (link) => this.relays.relayOf(link),
      adopt: (record) => this.neighbours.adopt(record),
      began: (peer) => this.neighbours.sessionBegan(peer),
      lost: (peer, end) => this.neighbours.sessionLost(peer, end),
      control: (peer, frames) => this.incoming.control(peer, frames),
      data: (peer, frames) => this.incoming.data(peer, frames),
      dialEnded: (address, end) => this.neighbours.dialEnded(address, end),
      callBack: (record) => this.dialer.callBack(record),
      doubted: (peer) => this.neighbours.doubted(peer),
    },
  );

  readonly gate = new Gate(this.peers, this.ports.clock, this.tuning, this.without === 'join-gate', () =>
    this.neighbours.askAgain(),
  );

  readonly dialer = new Dialer(this.tuning, {
    ...this.ports,
    wanted: (address) => this.isWanted(address),
    isDialing: (address) => this.sessions.isDialing(address),
    dial: (address) => this.sessions.dial(address),
    strays: () => this.membership.candidates(this.gate.seedList()).filter((one) => one !== this.options.node.address),
  });

  readonly announcer = new Announcer(this.peers, this.membership, this.without !== 'merge-members', () =>
    this.turn.checkSoon(),
  );

  readonly turn: Turn = new Turn(this.ports.clock, this.membership, this.announcer, () => this.holder.check());

  readonly leases = new Leases(this.channels, this.peers, this.ports.clock, this.tuning, this.without);

  readonly interests = new Interests(
    this.channels,
    this.peers,
    this.leases,
    this.ports.clock,
    this.tuning,
    this.without,
    (channel) => this.subscribers.reevaluate(channel),
  );

  readonly subscribers: Subscribers = new Subscribers(
    this.channels,
    {
      want: (channel) => this.interests.want(channel),
      unwant: (channel) => this.interests.unwant(channel),
      acknowledged: (channel) => this.isAcknowledged(channel),
    },
    this.ports.sockets,
    this.ports.clock,
    this.ports.meter,
    this.tuning,
  );

  readonly directory = new Directory(this.channels, this.peers, this.leases, this.without, (peer, version) => {
    peer.registerAcks.push(version);
    this.turn.wake(peer);
  });

  readonly router: Router = new Router(
    this.channels,
    this.peers,
    this.subscribers,
    { publish: (channel, queued) => this.lookups.publish(channel, queued) },
    this.ports,
    this.tuning,
    this.without,
  );

  readonly lookups = new Lookups(this.channels, this.peers, this.router, this.ports, this.tuning, this.without);

  readonly asks = new Asks(this.ports.clock, this.tuning);

  readonly canaries = new Canaries(this.peers, this.ports.clock, this.tuning.canaryMs);

  readonly neighbours: Neighbours = new Neighbours(this, { ...this.ports, links: this.relays }, this.tuning);

  readonly incoming: Incoming = new Incoming(this, {
    now: () => this.ports.clock.now(),
    leave: () => this.holder.leave(),
    gap: (channel, peer, why) => this.holder.gap(channel, peer, why),
  });

  /** Rules 3 and 5. */
  private isAcknowledged(channel: Channel): boolean {
    return (this.without === 'settled' || this.peers.settled()) && this.interests.acknowledged(channel);
  }

  private sendTo(nodeId: string, frame: MembershipFrame): boolean {
    const peer = this.peers.find(nodeId);
    if (!peer?.session) return false;
    peer.outbox.sendControl(frame);
    return true;
  }

  /** A member is missing there, or reached by a detour only; or a seed is still needed. */
  private isWanted(address: string): boolean {
    if (this.holder.isOver()) return false;
    const missing = ({ record, session }: Peer): boolean =>
      record.address === address && (session === null || session.relayedBy !== null);
    return this.peers.inView.some(missing) || this.gate.needs(address);
  }
}
