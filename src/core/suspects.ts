/** The members under suspicion, each with its clock: who accuses them, and when they are dead. The judging is suspicion.ts. */
import type { Cancel, Clock } from './ports.js';
import type { Timings } from './profiles.js';
import { Suspicion } from './suspicion.js';

interface Case {
  readonly suspicion: Suspicion;
  cancel: Cancel;
}

export class Suspects {
  private readonly cases = new Map<string, Case>();

  /** `expired` is called when a member's time in suspicion is over. */
  constructor(
    private readonly timings: Timings,
    private readonly clock: Clock,
    private readonly expired: (nodeId: string) => void,
  ) {}

  /** Begins a suspicion anew, in a mesh of so many members. */
  open(nodeId: string, accuser: string, members: number): void {
    this.close(nodeId);
    const suspicion = new Suspicion(this.timings, members, accuser, this.clock.now());
    const opened = { suspicion, cancel: () => {} };
    this.cases.set(nodeId, opened);
    this.arm(nodeId, opened, this.msLeft(suspicion));
  }

  /** True when this accuser is a new one, worth telling others. */
  confirm(nodeId: string, accuser: string): boolean {
    const open = this.cases.get(nodeId);
    if (open === undefined || !open.suspicion.confirm(accuser)) return false;
    this.arm(nodeId, open, this.msLeft(open.suspicion));
    return true;
  }

  /** Its host says that nobody listens there. */
  refused(nodeId: string): void {
    const open = this.cases.get(nodeId);
    if (open === undefined) return;
    open.suspicion.refused(this.clock.now() + this.timings.refusedMs);
    this.arm(nodeId, open, this.msLeft(open.suspicion));
  }

  /** Somebody reaches it, so a refusal proves nothing; only the member itself ends the suspicion. */
  reached(nodeId: string): void {
    const open = this.cases.get(nodeId);
    if (open === undefined) return;
    open.suspicion.reached();
    this.arm(nodeId, open, this.msLeft(open.suspicion));
  }

  close(nodeId: string): void {
    this.cases.get(nodeId)?.cancel();
    this.cases.delete(nodeId);
  }

  closeAll(): void {
    for (const nodeId of [...this.cases.keys()]) this.close(nodeId);
  }

  private msLeft(suspicion: Suspicion): number {
    return Math.max(0, suspicion.deadline() - this.clock.now());
  }

  /**
   * A timer that fires far behind its time means that this process stood still (SIGSTOP, a long garbage collection): the
   * suspect's answers may lie unread, so it gets one probe interval more.
   */
  private arm(nodeId: string, open: Case, ms: number): void {
    open.cancel();
    const due = this.clock.now() + ms;
    open.cancel = this.clock.after(ms, () => {
      if (this.clock.now() - due >= this.timings.probeTimeoutMs)
        return this.arm(nodeId, open, this.timings.probeIntervalMs);
      this.cases.delete(nodeId);
      this.expired(nodeId);
    });
  }
}
