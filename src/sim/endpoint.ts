/** The network as one process sees it: the Links port, in memory. */
import type { Frame } from '../core/frames.js';
import type { Lane, LinkEnd, LinkEvents, LinkId, Links } from '../core/ports.js';
import type { Network, Place } from './network.js';
import type { Host } from './time.js';
import type { Wire } from './wire.js';

/** One end of a link. */
interface Hold {
  readonly wire: Wire;
  /** Lanes whose end has arrived. */
  ended: number;
}

export class Endpoint implements Links {
  /** Links that this side has not ended and not seen ending; opening ones included. */
  private readonly held = new Map<LinkId, Hold>();
  private events: LinkEvents | null = null;

  constructor(
    private readonly network: Network,
    readonly place: Place,
    readonly host: Host,
  ) {}

  attach(events: LinkEvents): void {
    this.events = events;
  }

  get wires(): Wire[] {
    return [...this.held.values()].map((hold) => hold.wire);
  }

  /** Ids of open links, with the place at the other side. */
  openLinks(): { readonly link: LinkId; readonly to: Place }[] {
    return [...this.held]
      .filter(([, { wire }]) => wire.acceptor !== null && wire.ending === null)
      .map(([link, { wire }]) => ({ link, to: wire.across(link).place }));
  }

  dial(address: string): LinkId {
    const wire = this.network.connect(this, address);
    this.held.set(wire.dialerId, { wire, ended: 0 });
    return wire.dialerId;
  }

  send(link: LinkId, lane: Lane, frames: readonly Frame[]): boolean {
    const hold = this.held.get(link);
    if (hold === undefined || hold.wire.pipes.length === 0) return false;
    if (hold.wire.ending !== null) return true;
    return hold.wire.pipe(link, lane).send(frames);
  }

  close(link: LinkId, reason: string): void {
    const hold = this.held.get(link);
    if (hold === undefined) return;
    this.held.delete(link);
    const { wire } = hold;
    wire.given = true;
    if (wire.acceptor === null || wire.ending !== null) return;
    wire.ending = { end: 'ended', text: reason };
    wire.pipe(link, 'control').send(null);
    wire.pipe(link, 'data').send(null);
  }

  /** This process accepted the link. */
  accept(wire: Wire): void {
    this.held.set(wire.acceptorId, { wire, ended: 0 });
    this.events?.opened(wire.acceptorId, null, wire.dialer.place.address);
  }

  /** The dial went through. */
  opened(wire: Wire): void {
    if (this.held.has(wire.dialerId)) this.events?.opened(wire.dialerId, wire.address, wire.address);
  }

  /** The dial failed, or the link broke without the other side's word. */
  lost(link: LinkId, end: LinkEnd, text: string): void {
    if (this.held.delete(link)) this.events?.closed(link, end, text);
  }

  received(link: LinkId, lane: Lane, frames: readonly Frame[], sentAt: number): void {
    const hold = this.held.get(link);
    if (hold === undefined) return;
    this.network.watch(this, hold.wire.across(link), lane, frames, sentAt);
    this.events?.received(link, lane, frames);
  }

  drained(link: LinkId, lane: Lane): void {
    const hold = this.held.get(link);
    if (hold !== undefined && hold.wire.ending === null) this.events?.drained(link, lane);
  }

  /** The end of one lane has arrived; with both, the link is over for this side. */
  laneEnded(link: LinkId): void {
    const hold = this.held.get(link);
    if (hold === undefined || ++hold.ended < 2) return;
    this.lost(link, hold.wire.ending!.end, hold.wire.ending!.text);
  }
}
