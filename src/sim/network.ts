/**
 * The network in memory: places where processes listen, ways between them that take time, can be held for a while (one-way
 * breaks, clogs, partitions) and lose their links. Nothing is lost silently: a link delivers in order until it breaks.
 */
import type { Frame } from '../core/frames.js';
import type { Lane, LinkId } from '../core/ports.js';
import { Endpoint } from './endpoint.js';
import type { SeededRandom } from './random.js';
import type { Host, VirtualTime } from './time.js';
import { Wire } from './wire.js';

/** An address and what is there now. */
export interface Place {
  readonly index: number;
  readonly address: string;
  endpoint: Endpoint | null;
  /** False: the host is off, and nobody even refuses. */
  up: boolean;
}

/** How long a batch takes from one place to another. */
export interface LatencyShape {
  readonly minMs: number;
  /** Mean of what is added to it. */
  readonly jitterMs: number;
  /** Share of batches that take much longer, and how much at most. */
  readonly slowShare: number;
  readonly slowMs: number;
  /** Each way takes up to so many times as long, by its own factor. */
  readonly spread: number;
}

export type Watch = (to: Endpoint, from: Endpoint, lane: Lane, frames: readonly Frame[], sentAt: number) => void;

const LANES: readonly Lane[] = ['control', 'data'];
const DIAL_TIMEOUT_MS = 3000;
const DIAL_RETRY_MS = 250;

export class Network {
  readonly places: Place[] = [];
  /** Sees each batch that arrives. */
  watch: Watch = () => {};
  private readonly byAddress = new Map<string, Place>();
  /** Lanes of ways on which nothing moves now. */
  private readonly heldWays = new Set<number>();
  /** How much slower than the fastest each way is. */
  private readonly factors = new Map<number, number>();
  private lastLink: LinkId = 0;

  constructor(
    readonly time: VirtualTime,
    private readonly random: SeededRandom,
    private readonly shape: LatencyShape,
    /** Batches under way on one lane from which it counts as full. */
    readonly laneBatches: number,
  ) {}

  place(address: string): Place {
    let place = this.byAddress.get(address);
    if (place === undefined) {
      place = { index: this.places.length, address, endpoint: null, up: true };
      this.places.push(place);
      this.byAddress.set(address, place);
    }
    return place;
  }

  /** A process begins to listen. Links of an earlier one that vanished with its host are reset now. */
  listen(address: string, host: Host): Endpoint {
    const place = this.place(address);
    if (place.endpoint !== null) this.breakAll(place.endpoint);
    place.up = true;
    place.endpoint = new Endpoint(this, place, host);
    return place.endpoint;
  }

  /** The process at that place is gone; its kernel resets its links. `silent`: its host is gone too, and says nothing. */
  kill(place: Place, silent: boolean): void {
    const { endpoint } = place;
    if (endpoint === null) return;
    place.up = !silent;
    if (silent) return;
    place.endpoint = null;
    this.breakAll(endpoint);
  }

  passes(from: Place, to: Place, lane: Lane): boolean {
    return to.up && !this.heldWays.has(laneOfWay(from, to, lane));
  }

  /** From now on nothing moves from `from` to `to`, on these lanes: they are two connections, and may break one by one. */
  hold(from: Place, to: Place, lanes: readonly Lane[] = LANES): void {
    for (const lane of lanes) this.heldWays.add(laneOfWay(from, to, lane));
  }

  release(from: Place, to: Place): void {
    const held = LANES.filter((lane) => this.heldWays.delete(laneOfWay(from, to, lane)));
    if (!to.up) return;
    for (const wire of to.endpoint?.wires ?? []) {
      for (const pipe of wire.pipes) {
        if (held.includes(pipe.lane) && pipe.to === to.endpoint && pipe.from.place === from) pipe.release();
      }
    }
  }

  releaseAll(): void {
    for (const from of this.places) for (const to of this.places) this.release(from, to);
  }

  latency(from: Place, to: Place): number {
    const shape = this.shape;
    const random = this.random;
    const slow = shape.slowShare > 0 && random.chance(shape.slowShare) ? random.between(0, shape.slowMs) : 0;
    const usual = shape.minMs + (shape.jitterMs > 0 ? random.exponential(shape.jitterMs) : 0);
    return usual * this.factor(from, to) + slow;
  }

  private factor(from: Place, to: Place): number {
    if (this.shape.spread === 1) return 1;
    const key = way(from, to);
    let factor = this.factors.get(key);
    if (factor === undefined) {
      factor = this.random.scaled(1, this.shape.spread);
      this.factors.set(key, factor);
    }
    return factor;
  }

  /** Opens a link: a round trip, or an end that says why not. */
  connect(dialer: Endpoint, address: string): Wire {
    this.lastLink += 2;
    const wire = new Wire(this.lastLink, dialer, address);
    const deadline = this.time.now + DIAL_TIMEOUT_MS;
    this.time.at(deadline, dialer.host, () => {
      if (!wire.given) this.failDial(wire);
    });
    this.attempt(wire, deadline);
    return wire;
  }

  private attempt(wire: Wire, deadline: number): void {
    const from = wire.dialer.place;
    const to = this.byAddress.get(wire.address);
    const trip = to === undefined ? 1 : this.latency(from, to);
    this.time.at(this.time.now + trip, null, () => {
      if (wire.given || !wire.dialer.host.alive) return;
      if (to === undefined) return this.endDial(wire, 'unreachable');
      if (!LANES.every((lane) => this.passes(from, to, lane) && this.passes(to, from, lane))) {
        if (this.time.now + DIAL_RETRY_MS >= deadline) return;
        this.time.at(this.time.now + DIAL_RETRY_MS, null, () => this.attempt(wire, deadline));
      } else if (to.endpoint === null) this.endDial(wire, 'refused');
      else this.accept(wire, to.endpoint);
    });
  }

  private accept(wire: Wire, acceptor: Endpoint): void {
    const { time } = this;
    time.at(time.now, acceptor.host, () => {
      if (wire.given) return;
      wire.open(this, acceptor);
      const opened = time.now + this.latency(acceptor.place, wire.dialer.place);
      for (const pipe of wire.pipes) pipe.notBefore(opened);
      time.at(opened, wire.dialer.host, () => {
        wire.given = true;
        if (wire.ending === null) wire.dialer.opened(wire);
      });
      acceptor.accept(wire);
    });
  }

  /** The deadline of a dial passed. */
  private failDial(wire: Wire): void {
    wire.given = true;
    if (wire.acceptor === null) wire.dialer.lost(wire.dialerId, 'unreachable', 'no answer');
    else this.break(wire);
  }

  private endDial(wire: Wire, end: 'refused' | 'unreachable'): void {
    wire.given = true;
    const back = end === 'refused' ? this.latency(wire.dialer.place, wire.dialer.place) : 0;
    this.time.at(this.time.now + back, wire.dialer.host, () => wire.dialer.lost(wire.dialerId, end, end));
  }

  /** Resets a link: some of what is under way still arrives, and each side learns of the end in its own time. */
  break(wire: Wire): void {
    if (wire.ending !== null || wire.acceptor === null) return;
    wire.ending = { end: 'reset', text: 'connection reset' };
    for (const pipe of wire.pipes) {
      pipe.lose(this.random.below(pipe.waiting + 1));
      pipe.send(null);
    }
  }

  private breakAll(endpoint: Endpoint): void {
    for (const wire of endpoint.wires) {
      if (wire.acceptor === null) wire.given = true;
      else this.break(wire);
    }
  }
}

function way(from: Place, to: Place): number {
  return from.index * 65_536 + to.index;
}

function laneOfWay(from: Place, to: Place, lane: Lane): number {
  return 2 * way(from, to) + LANES.indexOf(lane);
}
