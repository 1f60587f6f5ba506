/**
 * Leaving politely (rule 18): role leaving → settled → own leases revoked → clients drained → interest withdrawn → goodbye,
 * answered by everybody with the last number it sent → all of that received and acknowledged → gone. Each step has an end
 * of its own, so that a node that does not answer cannot hold this one.
 */
import type { Interests } from './interest.js';
import type { Leases } from './leases.js';
import type { Lookups } from './lookup.js';
import type { Membership } from './membership.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { Ports } from './ports.js';

/** A step that waits: what for, in words, and whether it has come. */
interface Step {
  readonly what: string;
  readonly isDone: () => boolean;
  readonly next: () => void;
}

export interface LeaveParts {
  readonly membership: Membership;
  readonly peers: Peers;
  readonly interests: Interests;
  readonly leases: Leases;
  readonly lookups: Lookups;
}

export class Leave {
  /** The clients are being closed: nobody new may subscribe. */
  draining = false;
  /** They are closed: nothing new is published either. */
  drained = false;
  /** From here on nobody sends to this node. */
  saidGoodbye = false;
  private step: Step | null = null;
  private readonly answers = new Map<Peer, { readonly epoch: number; readonly lastSent: number }>();

  constructor(
    private readonly of: LeaveParts,
    private readonly ports: Pick<Ports, 'clock' | 'log'>,
    private readonly stepMs: number,
    /** `drain` closes the clients and calls back; `gone` follows the last step. */
    private readonly drain: (drained: () => void) => void,
    private readonly gone: () => void,
  ) {}

  begin(): void {
    this.of.membership.leave();
    this.of.membership.reportNow();
    this.wait(
      'all members to know that this node leaves',
      () => this.of.peers.settled(),
      () => this.revoke(),
    );
  }

  private revoke(): void {
    this.of.leases.revokeAll();
    this.wait(
      'lease holders',
      () => this.of.leases.size === 0,
      () => this.drainClients(),
    );
  }

  private drainClients(): void {
    this.draining = true;
    this.drain(() => this.withdraw());
  }

  private withdraw(): void {
    const { interests, lookups } = this.of;
    this.drained = true;
    interests.withdrawAll();
    this.wait(
      'owners to forget this node’s interest, and its own publishes to leave',
      () => interests.quiet() && lookups.queued === 0,
      () => this.sayGoodbye(),
    );
  }

  private sayGoodbye(): void {
    const others = this.of.peers.inView.filter((peer) => peer.session !== null);
    this.saidGoodbye = true;
    this.of.membership.left();
    for (const peer of others) peer.outbox.sendControl({ kind: 'goodbye', members: [this.of.membership.self()] });
    const isOver = (peer: Peer): boolean => peer.session === null || (this.hasAll(peer) && peer.outbox.frames === 0);
    this.wait('answers to the goodbye', () => others.every(isOver), this.gone);
  }

  private hasAll(peer: Peer): boolean {
    const answer = this.answers.get(peer);
    return answer !== undefined && peer.inbox.last >= answer.lastSent;
  }

  onGoodbyeAck(peer: Peer, answer: { readonly epoch: number; readonly lastSent: number }): void {
    this.answers.set(peer, answer);
  }

  /** Called at the end of each turn. */
  check(): void {
    const { step } = this;
    if (step === null || !step.isDone()) return;
    this.step = null;
    step.next();
  }

  private wait(what: string, isDone: () => boolean, next: () => void): void {
    const step = { what, isDone, next };
    this.step = step;
    this.ports.clock.after(this.stepMs, () => {
      if (this.step !== step) return;
      this.ports.log.warn(`left without waiting longer for ${what}`);
      this.step = null;
      next();
    });
    this.ports.clock.endOfTurn(() => this.check());
  }
}
