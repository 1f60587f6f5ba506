/** The network as one process sees it: the Links port, in memory. */
import type { Frame } from '../core/frames.js';
import type { Lane, LinkEnd, LinkEvents, LinkId, Links } from '../core/ports.js';
import type { Network, Place } from './network.js';
import type { Host } from './time.js';
import type { Wire } from './wire.js';

/** A link from one side. */
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
    return this.wires
      .filter((wire) => wire.acceptor !== null && wire.ending === null)
      .map((wire) => ({ link: wire.id, to: wire.other(this).place }));
  }

  dial(address: string): LinkId {
    const wire = this.network.connect(this, address);
    this.held.set(wire.id, { wire, ended: 0 });
    return wire.id;
  }

  send(link: LinkId, lane: Lane, frames: readonly Frame[]): boolean {
    const hold = this.held.get(link);
    if (hold === undefined || hold.wire.pipes.length === 0) return false;
    if (hold.wire.ending !== null) return true;
    return hold.wire.pipe(this, lane).send(frames);
  }

  close(link: LinkId, reason: string): void {
    const hold = this.held.get(link);
    if (hold === undefined) return;
    this.held.delete(link);
    const { wire } = hold;
    wire.given = true;
    if (wire.acceptor === null || wire.ending !== null) return;
    wire.ending = { end: 'ended', text: reason };
    wire.pipe(this, 'control').send(null);
    wire.pipe(this, 'data').send(null);
  }

  /** This side accepted the link. */
  accept(wire: Wire): void {
    this.held.set(wire.id, { wire, ended: 0 });
    this.events?.opened(wire.id, null, wire.dialer.place.address);
  }

  /** The dial went through. */
  opened(wire: Wire): void {
    if (this.held.has(wire.id)) this.events?.opened(wire.id, wire.address, wire.address);
  }

  /** The dial failed, or the link broke without the other side's word. */
  lost(wire: Wire, end: LinkEnd, text: string): void {
    if (this.held.delete(wire.id)) this.events?.closed(wire.id, end, text);
  }

  received(wire: Wire, lane: Lane, frames: readonly Frame[], sentAt: number): void {
    if (!this.held.has(wire.id)) return;
    this.network.watch(this, wire.other(this), lane, frames, sentAt);
    this.events?.received(wire.id, lane, frames);
  }

  drained(wire: Wire, lane: Lane): void {
    if (this.held.has(wire.id) && wire.ending === null) this.events?.drained(wire.id, lane);
  }

  /** The end of one lane has arrived; with both, the link is over for this side. */
  laneEnded(wire: Wire): void {
    const hold = this.held.get(wire.id);
    if (hold === undefined || ++hold.ended < 2) return;
    this.lost(wire, wire.ending!.end, wire.ending!.text);
  }
}
