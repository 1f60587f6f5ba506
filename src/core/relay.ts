/**
 * Links through a third node (rule 15): when two members cannot reach each other while another one reaches both, their
 * session runs through that one. To session.ts such a link looks like any other; its frames travel as RELAY frames in the
 * sessions with the third node, which passes them on and keeps nothing.
 */
import type { Frame, Relay, RelayEnd } from './frames.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { Clock, Lane, LinkEvents, LinkId, Links } from './ports.js';

/** A link to `other` through `via`. */
interface Detour {
  readonly link: LinkId;
  readonly via: Peer;
  readonly other: string;
}

export interface RelayLimits {
  /** Frames that may wait for one peer; a relayed link that would need more ends. */
  readonly queueFrames: number;
}

/** Pairs of nodes that this one relays for; a further pair is refused. */
const MAX_PAIRS = 1024;
/** What an address begins with that leads through another node: `via/THIRD/OTHER`. */
const VIA = 'via/';

export function viaAddress(third: string, other: string): string {
  return `${VIA}${encodeURIComponent(third)}/${encodeURIComponent(other)}`;
}

export class RelayedLinks implements Links {
  private readonly detours = new Map<LinkId, Detour>();
  /** Who is relayed to whom here: "from>to", both ways. */
  private readonly pairs = new Map<string, { readonly from: Peer; readonly to: Peer }>();
  /** Below every id of a real link. */
  private lastLink = 0;

  constructor(
    private readonly direct: Links,
    private readonly peers: Peers,
    private readonly clock: Clock,
    private readonly limits: RelayLimits,
    private readonly events: LinkEvents,
  ) {}

  // ── this node as an end of the link ──

  dial(address: string): LinkId {
    if (!address.startsWith(VIA)) return this.direct.dial(address);
    const [third, other] = address.slice(VIA.length).split('/').map(decodeURIComponent);
    const link = --this.lastLink;
    const via = this.peers.find(third);
    this.clock.endOfTurn(() => {
      if (!via?.session) return this.events.closed(link, 'unreachable', `no session with ${third}`);
      this.detours.set(link, { link, via, other });
      this.events.opened(link, address, other);
    });
    return link;
  }

  send(link: LinkId, lane: Lane, frames: readonly Frame[]): boolean {
    if (link >= 0) return this.direct.send(link, lane, frames);
    const detour = this.detours.get(link);
    if (detour === undefined) return false;
    this.pass(detour.via, { kind: 'relay', from: this.peers.selfId, to: detour.other, lane, frames });
    return true;
  }

  close(link: LinkId, reason: string): void {
    if (link >= 0) return this.direct.close(link, reason);
    const detour = this.detours.get(link);
    if (detour === undefined) return;
    this.detours.delete(link);
    detour.via.outbox.sendControl({ kind: 'relayEnd', from: this.peers.selfId, to: detour.other });
  }

  /** The node that a link runs through; null for a direct one. */
  relayOf(link: LinkId): string | null {
    return this.detours.get(link)?.via.nodeId ?? null;
  }

  // ── frames of others' sessions ──

  onRelay(peer: Peer, frame: Relay): void {
    if (frame.to !== this.peers.selfId) return this.passOn(peer, frame);
    let detour = this.find(peer, frame.from);
    if (frame.frames[0]?.kind === 'hello') {
      if (detour !== undefined) this.end(detour, 'the other side began anew');
      detour = { link: --this.lastLink, via: peer, other: frame.from };
      this.detours.set(detour.link, detour);
      this.events.opened(detour.link, null, frame.from);
    }
    if (detour !== undefined) this.events.received(detour.link, frame.lane, frame.frames);
    else peer.outbox.sendControl({ kind: 'relayEnd', from: this.peers.selfId, to: frame.from });
  }

  onRelayEnd(peer: Peer, { from, to }: RelayEnd): void {
    if (to === this.peers.selfId) {
      const detour = this.find(peer, from);
      if (detour !== undefined) this.end(detour, 'the relayed session ended');
      return;
    }
    const pair = this.pairs.get(`${from}>${to}`);
    this.pairs.delete(`${from}>${to}`);
    this.pairs.delete(`${to}>${from}`);
    if (pair?.to.session) pair.to.outbox.sendControl({ kind: 'relayEnd', from, to });
  }

  /** Links through that peer are over; so are those of others that ran through this node to it. */
  sessionLost(peer: Peer): void {
    for (const detour of [...this.detours.values()])
      if (detour.via === peer) this.end(detour, 'lost the relaying node');
    for (const [key, { from, to }] of this.pairs) {
      if (from !== peer && to !== peer) continue;
      this.pairs.delete(key);
      if (from === peer && to.session) to.outbox.sendControl({ kind: 'relayEnd', from: from.nodeId, to: to.nodeId });
    }
  }

  /** Only along direct sessions, so that nothing goes in circles. */
  private passOn(peer: Peer, frame: Relay): void {
    const to = this.peers.find(frame.to);
    const possible = to?.session && to.session.relayedBy === null && frame.from === peer.nodeId;
    if (!possible || (this.pairs.size >= MAX_PAIRS && !this.pairs.has(`${frame.from}>${frame.to}`))) {
      peer.outbox.sendControl({ kind: 'relayEnd', from: frame.to, to: frame.from });
      return;
    }
    this.pairs.set(`${frame.from}>${frame.to}`, { from: peer, to });
    this.pairs.set(`${frame.to}>${frame.from}`, { from: to, to: peer });
    this.pass(to, frame);
  }

  private pass(to: Peer, frame: Relay): void {
    if (to.outbox.waiting >= this.limits.queueFrames) {
      this.onRelayEnd(to, { kind: 'relayEnd', from: to.nodeId, to: frame.from });
      to.outbox.sendControl({ kind: 'relayEnd', from: frame.from, to: frame.to });
    } else if (frame.lane === 'control') to.outbox.sendControl(frame);
    else to.outbox.sendLoose(frame);
  }

  private find(via: Peer, other: string): Detour | undefined {
    for (const detour of this.detours.values()) if (detour.via === via && detour.other === other) return detour;
    return undefined;
  }

  private end(detour: Detour, why: string): void {
    this.detours.delete(detour.link);
    this.events.closed(detour.link, 'reset', why);
  }
}
