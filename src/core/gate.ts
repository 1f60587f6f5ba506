/**
 * The join gate (rule 12): from the first dial to "ready". A node that is not through it neither takes clients nor publishes
 * nor acknowledges, because nobody would know that it must be sent to.
 */
import type { Peers } from './peers.js';
import type { Clock } from './ports.js';
import type { DialEnd } from './session.js';

export interface GateLimits {
  readonly seedsRefusedMs: number;
  readonly seedsUnreachableMs: number;
  readonly watchMs: number;
}

export class Gate {
  /** How the last dial of each seed ended; null before the first end. */
  private readonly seeds = new Map<string, DialEnd | null>();
  private tickedAt = 0;
  private waitedMs = 0;

  constructor(
    private readonly peers: Peers,
    private readonly clock: Clock,
    private readonly limits: GateLimits,
    /** True from the beginning leaves the rule `join-gate` out. */
    public open: boolean,
  ) {}

  start(seeds: readonly string[]): void {
    this.tickedAt = this.clock.now();
    this.addSeeds(seeds);
  }
  /** Once somebody was met, a further seed is kept for healing only and not dialed. */
  addSeeds(seeds: readonly string[]): void {
    const end = this.peers.inView.length > 0 ? 'unreachable' : null;
    for (const seed of seeds) if (!this.seeds.has(seed)) this.seeds.set(seed, end);
  }
  seedList(): string[] {
    return [...this.seeds.keys()];
  }
  dialEnded(address: string, end: DialEnd): void {
    if (this.seeds.has(address)) this.seeds.set(address, end);
  }

  /**
   * Called every `watchMs`; the time between two calls is waited for others. Not so when the call is late by as much again: this
   * process was stopped or blocked, and what arrived meanwhile, unread yet, may be what it waits for.
   */
  tick(): void {
    const now = this.clock.now();
    const sinceLast = now - this.tickedAt;
    this.tickedAt = now;
    if (sinceLast < 2 * this.limits.watchMs) this.waitedMs += sinceLast;
  }

  /** A dial of that seed may still bring something: nobody has been met yet. */
  needs(address: string): boolean {
    const end = this.seeds.get(address);
    return end !== undefined && end !== 'self' && this.peers.inView.length === 0;
  }

  /** Why it stays closed, in words; empty when this node may open it. */
  reasons(): string[] {
    return [...this.obstacles()];
  }

  mayOpen(): boolean {
    return this.obstacles().next().done === true;
  }

  private *obstacles(): Generator<string, void> {
    yield* this.seedReasons();
    for (const peer of this.peers.inView) {
      const { nodeId, record } = peer;
      if (peer.session === null) yield `no session with member ${nodeId} at ${record.address} yet`;
      else if (peer.acked !== this.peers.digest) yield `member ${nodeId} did not acknowledge this node's view yet`;
    }
  }

  /**
   * The seed phase: each seed has answered or failed, and somebody was met who is ready and so knows everybody. Where all
   * are joining, they wait a while before they begin a mesh together, since one of them may be about to find the mesh that
   * is there already; so does a node that meets nobody.
   */
  private seedReasons(): string[] {
    const { inView } = this.peers;
    const ends = [...this.seeds.values()];
    if (ends.length === 0) return [];
    const waiting = [...this.seeds].filter(([, end]) => end === null).map(([address]) => address);
    if (inView.length > 0 && waiting.length > 0) return [`no answer from seed ${waiting.join(', ')} yet`];
    if (inView.some(({ session }) => session?.peerReady)) return [];
    const patience = ends.every((end) => end !== null && ANSWERS.has(end))
      ? this.limits.seedsRefusedMs
      : this.limits.seedsUnreachableMs;
    if (inView.length > 0) {
      return this.waitedMs >= patience ? [] : ['everybody met so far is joining as well'];
    }
    for (const [address, end] of this.seeds) {
      if (end === 'denied' || end === 'rejected') return [`seed ${address} refuses this node; see the log`];
    }
    if (this.waitedMs >= patience) return [];
    const states = [...this.seeds].map(([address, end]) => `${address} ${end ?? 'dialing'}`);
    return [`no seed has answered yet: ${states.join(', ')}`];
  }
}

/** Ends of a dial that say for sure who is there, or that nobody is. */
const ANSWERS: ReadonlySet<DialEnd> = new Set<DialEnd>(['refused', 'self', 'open', 'redirect', 'accused']);
