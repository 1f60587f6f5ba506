/** Memberships joined by an in-memory network without sessions: frames arrive after a latency, unless a fault says otherwise. */
import type { Identity, MembershipFrame } from '../../src/core/frames.js';
import { Membership } from '../../src/core/membership.js';
import type { Random } from '../../src/core/ports.js';
import { PROFILES, type Timings } from '../../src/core/profiles.js';
import type { ViewChange } from '../../src/core/view.js';
import { VirtualClock } from './virtual-clock.js';

const RING = { replicateAllUpTo: 8, replicas: 3 };
const nothing = (): void => {};

export interface Bird {
  readonly membership: Membership;
  readonly changes: ViewChange[];
  sent: number;
  /** Receives and sends nothing; its timers go on. */
  silent: boolean;
}

export class Flock {
  readonly clock = new VirtualClock();
  readonly random: Random;
  readonly birds = new Map<string, Bird>();
  /** "a>b": frames from a to b are lost, and a has no session with b when `noSession`. */
  readonly cut = new Set<string>();
  readonly noSession = new Set<string>();
  latencyMs = 1;

  constructor(
    readonly timings: Timings = PROFILES.lan,
    seed = 1,
  ) {
    this.random = seeded(seed);
  }

  add(nodeId: string, boot = this.random.uint32() & 0x7fffffff): Membership {
    const bird: Bird = { membership: null as unknown as Membership, changes: [], sent: 0, silent: false };
    const membership = new Membership(
      { nodeId, address: `${nodeId}:6788`, api: '', version: '1', boot },
      { timings: this.timings, ring: RING },
      {
        clock: this.clock,
        random: this.random,
        log: { debug: nothing, info: nothing, warn: nothing, error: nothing },
        meter: { count: nothing, observe: nothing },
        send: (to, frame) => this.send(nodeId, bird, to, frame),
        changed: (change) => bird.changes.push(change),
      },
    );
    Object.assign(bird, { membership });
    this.birds.set(nodeId, bird);
    membership.start();
    return membership;
  }

  /** `count` members that know each other: n-000, n-001 … */
  addAll(count: number): Membership[] {
    const all = Array.from({ length: count }, (_, i) => this.add(name(i)));
    const records = all.map((membership) => membership.self());
    for (const membership of all) membership.merge(records);
    this.clock.endTurn();
    return all;
  }

  of(nodeId: string): Bird {
    return this.birds.get(nodeId) as Bird;
  }

  /** The process is gone, without a word; peers that dial it are refused when `refused`. */
  kill(nodeId: string, refused: boolean): void {
    this.of(nodeId).membership.stop();
    this.birds.delete(nodeId);
    if (refused) for (const { membership } of this.birds.values()) membership.linkLost(nodeId, 'refused');
  }

  /** What HELLO, ACCEPT and ACCUSED do between two members. */
  meet(a: string, b: string): void {
    for (const [one, other] of [
      [this.of(a).membership, this.of(b).membership],
      [this.of(b).membership, this.of(a).membership],
    ]) {
      other.merge(one.records());
      const hello: Identity = one.self();
      if (other.isTombstoned(hello)) {
        one.merge(other.records());
        one.accused(hello);
        other.merge([one.self()]);
      }
    }
  }

  private send(from: string, bird: Bird, to: string, frame: MembershipFrame): boolean {
    if (this.noSession.has(`${from}>${to}`)) return false;
    if (this.birds.get(from) !== bird) return false;
    const target = this.birds.get(to);
    if (target === undefined) return false;
    if (bird.silent) return true;
    bird.sent += 1;
    if (this.cut.has(`${from}>${to}`)) return true;
    this.clock.after(this.latencyMs, () => {
      if (!target.silent && this.birds.get(to) === target) target.membership.received(from, frame);
    });
    return true;
  }
}

export function name(i: number): string {
  return `n-${String(i).padStart(3, '0')}`;
}

/** A small generator with good enough dice (Mulberry32's idea: a Weyl sequence, mixed). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  const uint32 = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  };
  return { uint32, fraction: () => uint32() / 2 ** 32 };
}
