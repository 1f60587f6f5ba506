/**
 * SWIM's failure detector: probes one member per interval, directly over the control stream, then through others, and says
 * whether it was reached. Also answers and relays the probes of others. What follows from a verdict is membership.ts.
 */
import type { MemberRecord, MembershipFrame, Ping, PingAck, PingNack, PingRequest } from './frames.js';
import type { LocalHealth } from './health.js';
import type { Cancel, Clock, Random } from './ports.js';
import type { Timings } from './profiles.js';
import { sample, shuffled } from './sample.js';

export interface ProberRoles {
  readonly clock: Clock;
  readonly random: Random;
  /** False when there is no session with that member. */
  send(nodeId: string, frame: MembershipFrame): boolean;
  /** Names of the live members but oneself. */
  others(): readonly string[];
  isOther(nodeId: string): boolean;
  /** News to send along to that member. */
  news(nodeId: string): readonly MemberRecord[];
  reached(nodeId: string): void;
  unreached(nodeId: string): void;
}

interface Probe {
  readonly target: string;
  readonly seq: number;
  reached: boolean;
  helpers: number;
  nacks: number;
}

/** A probe that is made for another member. */
interface Errand {
  readonly asker: string;
  readonly askersSeq: number;
  readonly cancelNack: Cancel;
}

/** A helper says "not reached" after this part of the probe timeout, while the asker still waits. */
const NACK_AFTER = 0.8;
/** Probes made for others at the same time; one more is declined with a nack. */
const MAX_ERRANDS = 1024;
/** How many members are expected to look at a suspect next, beyond their turn, so that it is confirmed or cleared soon. */
const EXPECTED_WITNESSES = 6;
/** So many intervals a new member may take until there is a session with it; before that, no session is no evidence. */
const GRACE_INTERVALS = 3;

export class Prober {
  /** Members still to be probed in this round, last first; refilled in random order (SWIM section 4.3). */
  private round: string[] = [];
  private readonly urgent = new Set<string>();
  /** Members that may have no session yet, and until when. */
  private readonly newcomers = new Map<string, number>();
  private readonly probes = new Map<number, Probe>();
  private readonly errands = new Map<number, Errand>();
  private current: Probe | null = null;
  private seq = 0;
  private cancelTick: Cancel = () => {};
  private cancelIndirect: Cancel = () => {};

  constructor(
    private readonly timings: Timings,
    private readonly health: LocalHealth,
    private readonly roles: ProberRoles,
  ) {}

  start(): void {
    this.tickAfter(this.roles.random.fraction() * this.timings.probeIntervalMs);
  }

  stop(): void {
    this.cancelTick();
    this.cancelIndirect();
    for (const errand of this.errands.values()) errand.cancelNack();
    this.errands.clear();
    this.probes.clear();
  }

  /** A new member takes a random place in the present round. What was asked of an earlier identity of its name says nothing of it. */
  joined(nodeId: string): void {
    this.newcomers.set(nodeId, this.roles.clock.now() + GRACE_INTERVALS * this.timings.probeIntervalMs);
    if (this.current?.target === nodeId) {
      this.cancelIndirect();
      this.probes.delete(this.current.seq);
      this.current = null;
    }
    this.round.splice(Math.floor(this.roles.random.fraction() * (this.round.length + 1)), 0, nodeId);
  }

  /** Probes that member next, before its turn. */
  probeSoon(nodeId: string): void {
    this.urgent.add(nodeId);
  }

  /** Somebody else suspects it: a few members, chosen by chance, look at once. */
  suspectedElsewhere(nodeId: string): void {
    if (this.roles.random.fraction() * this.roles.others().length < EXPECTED_WITNESSES) this.urgent.add(nodeId);
  }

  /** Asks others at once whether they reach that member; only a yes has a consequence. */
  askAround(nodeId: string): void {
    const probe = this.begin(nodeId);
    this.indirect(probe);
    this.roles.clock.after(this.timings.probeIntervalMs, () => this.probes.delete(probe.seq));
  }

  received(from: string, frame: Ping | PingAck | PingRequest | PingNack): void {
    if (frame.kind === 'ping') {
      this.roles.send(from, { kind: 'pingAck', seq: frame.seq, updates: this.roles.news(from) });
    } else if (frame.kind === 'pingRequest') this.runErrand(from, frame);
    else if (frame.kind === 'pingAck') this.acked(frame.seq);
    else this.nacked(frame.seq);
  }

  private tickAfter(ms: number): void {
    const due = this.roles.clock.now() + ms;
    this.cancelTick = this.roles.clock.after(ms, () => this.tick(this.roles.clock.now() - due));
  }

  /** Judges the last probe and begins the next. `lateMs`: how far behind its time this call is. */
  private tick(lateMs: number): void {
    this.health.loopDelay(lateMs);
    const stalled = lateMs >= this.timings.probeTimeoutMs;
    if (this.current !== null) this.judge(this.current, stalled);
    const target = this.nextTarget();
    this.current = target === null ? null : this.begin(target);
    if (this.current !== null) this.direct(this.current);
    this.tickAfter(this.timings.probeIntervalMs * this.health.stretch);
  }

  /** While this process stood still, answers waited unread: then silence proves nothing. */
  private judge(probe: Probe, stalled: boolean): void {
    this.cancelIndirect();
    this.probes.delete(probe.seq);
    if (probe.reached || stalled || !this.roles.isOther(probe.target)) return;
    this.health.unanswered(probe.helpers, probe.nacks);
    this.roles.unreached(probe.target);
  }

  private nextTarget(): string | null {
    for (const nodeId of this.urgent) {
      this.urgent.delete(nodeId);
      if (this.roles.isOther(nodeId)) return nodeId;
    }
    if (this.round.length === 0) {
      this.round = shuffled(this.roles.others(), this.roles.random);
      for (const nodeId of this.newcomers.keys()) this.isNewcomer(nodeId);
    }
    for (let nodeId = this.round.pop(); nodeId !== undefined; nodeId = this.round.pop()) {
      if (this.roles.isOther(nodeId)) return nodeId;
    }
    return null;
  }

  private begin(target: string): Probe {
    const probe = { target, seq: ++this.seq, reached: false, helpers: 0, nacks: 0 };
    this.probes.set(probe.seq, probe);
    return probe;
  }

  private direct(probe: Probe): void {
    if (!this.ping(probe.target, probe.seq)) {
      if (!this.isNewcomer(probe.target)) return this.indirect(probe);
      this.probes.delete(probe.seq);
      this.current = null;
      return;
    }
    this.cancelIndirect = this.roles.clock.after(this.timings.probeTimeoutMs * this.health.stretch, () =>
      this.indirect(probe),
    );
  }

  private indirect(probe: Probe): void {
    const candidates = this.roles.others().filter((nodeId) => nodeId !== probe.target);
    for (const helper of sample(candidates, this.timings.indirectProbes, this.roles.random)) {
      const updates = this.roles.news(helper);
      if (this.roles.send(helper, { kind: 'pingRequest', seq: probe.seq, target: probe.target, updates }))
        probe.helpers += 1;
    }
  }

  /** Forgets it when its time is over. */
  private isNewcomer(nodeId: string): boolean {
    const until = this.newcomers.get(nodeId);
    if (until !== undefined && until > this.roles.clock.now()) return true;
    this.newcomers.delete(nodeId);
    return false;
  }

  private ping(target: string, seq: number): boolean {
    return this.roles.send(target, { kind: 'ping', seq, updates: this.roles.news(target) });
  }

  private runErrand(asker: string, { seq: askersSeq, target }: PingRequest): void {
    const nack = (): void => void this.roles.send(asker, { kind: 'pingNack', seq: askersSeq });
    const seq = ++this.seq;
    if (this.errands.size >= MAX_ERRANDS || !this.ping(target, seq)) return nack();
    const cancelNack = this.roles.clock.after(this.timings.probeTimeoutMs * NACK_AFTER, () => {
      this.errands.delete(seq);
      nack();
    });
    this.errands.set(seq, { asker, askersSeq, cancelNack });
  }

  private acked(seq: number): void {
    const errand = this.errands.get(seq);
    if (errand !== undefined) {
      errand.cancelNack();
      this.errands.delete(seq);
      this.roles.send(errand.asker, {
        kind: 'pingAck',
        seq: errand.askersSeq,
        updates: this.roles.news(errand.asker),
      });
      return;
    }
    const probe = this.probes.get(seq);
    if (probe === undefined || probe.reached) return;
    probe.reached = true;
    if (probe === this.current) this.cancelIndirect();
    this.health.answered();
    this.roles.reached(probe.target);
  }

  private nacked(seq: number): void {
    const probe = this.probes.get(seq);
    if (probe !== undefined) probe.nacks += 1;
  }
}
