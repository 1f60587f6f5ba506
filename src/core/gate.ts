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
  /** Its patience with others that are joining as well is over, and they were asked once more what they know. */
  private askedAgain = false;

  constructor(
    private readonly peers: Peers,
    private readonly clock: Clock,
    private readonly limits: GateLimits,
    /** True from the beginning leaves the rule `join-gate` out. */
    public open: boolean,
    /** Takes back what the members acknowledged and announces the view anew: with each answer comes all that its sender has learned. */
    private readonly askAgain: () => void,
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
    if (this.open || this.askedAgain || this.waitedMs < this.patience()) return;
    if (this.peers.inView.length === 0 || !this.peers.settled() || this.silentSeeds().length > 0) return;
    this.askedAgain = true;
    this.askAgain();
  }

  /** Addresses whose first dial has not come to an end. */
  private silentSeeds(): string[] {
    return [...this.seeds].filter(([, end]) => end === null).map(([address]) => address);
  }

  /** How long to wait for somebody who is ready: shorter when all seeds have said for sure who is there, or that nobody is. */
  private patience(): number {
    const sure = [...this.seeds.values()].every((end) => end !== null && ANSWERS.has(end));
    return sure ? this.limits.seedsRefusedMs : this.limits.seedsUnreachableMs;
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
   * is there already, and then hear each other once more; a node that meets nobody waits as long.
   */
  private seedReasons(): string[] {
    const { inView } = this.peers;
    if (this.seeds.size === 0) return [];
    const silent = this.silentSeeds();
    if (inView.length > 0 && silent.length > 0) return [`no answer from seed ${silent.join(', ')} yet`];
    if (inView.some(({ session }) => session?.peerReady)) return [];
    // One of them may have found the mesh since it acknowledged this view, and be unable to say so by now.
    if (inView.length > 0) return this.askedAgain ? [] : ['everybody met so far is joining as well'];
    for (const [address, end] of this.seeds) {
      if (end === 'denied' || end === 'rejected') return [`seed ${address} refuses this node; see the log`];
    }
    if (this.waitedMs >= this.patience()) return [];
    const states = [...this.seeds].map(([address, end]) => `${address} ${end ?? 'dialing'}`);
    return [`no seed has answered yet: ${states.join(', ')}`];
  }
}

/** Ends of a dial that say for sure who is there, or that nobody is. */
const ANSWERS: ReadonlySet<DialEnd> = new Set<DialEnd>(['refused', 'self', 'open', 'redirect', 'accused']);
