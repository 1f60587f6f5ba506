/**
 * Leaving politely (rule 18): role leaving → settled → own leases revoked → clients drained → interest withdrawn → goodbye,
 * answered by everybody with the last number it sent → all of that received and acknowledged → gone. Each step has an end
 * of its own, so that a node that does not answer cannot hold this one.
 */
import type { Interests } from './interest.js';
import type { Leases } from './leases.js';
import type { Membership } from './membership.js';
import type { Peer } from './peer.js';
import type { Peers } from './peers.js';
import type { Clock, Log } from './ports.js';

/** A step that waits: what for, in words, and whether it has come. */
interface Step {
  readonly what: string;
  readonly isDone: () => boolean;
  readonly next: () => void;
}

export class Leave {
  /** The clients are being closed: nobody new may subscribe. */
  draining = false;
  /** From here on nobody sends to this node, so it takes no part any more. */
  saidGoodbye = false;
  private step: Step | null = null;
  private readonly answers = new Map<Peer, { readonly epoch: number; readonly lastSent: number }>();

  constructor(
    private readonly membership: Membership,
    private readonly peers: Peers,
    private readonly interests: Interests,
    private readonly leases: Leases,
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly stepMs: number,
    /** `drain` closes the clients and calls back; `gone` follows the last step. */
    private readonly drain: (drained: () => void) => void,
    private readonly gone: () => void,
  ) {}

  begin(): void {
    this.membership.leave();
    this.membership.reportNow();
    this.wait(
      'all members to know that this node leaves',
      () => this.peers.settled(),
      () => this.revoke(),
    );
  }

  private revoke(): void {
    this.leases.revokeAll();
    this.wait(
      'lease holders',
      () => this.leases.size === 0,
      () => this.drainClients(),
    );
  }

  private drainClients(): void {
    this.draining = true;
    this.drain(() => this.withdraw());
  }

  private withdraw(): void {
    this.interests.withdrawAll();
    this.wait(
      'owners to forget this node’s interest',
      () => this.interests.quiet(),
      () => this.sayGoodbye(),
    );
  }

  private sayGoodbye(): void {
    const others = this.peers.inView.filter((peer) => peer.session !== null);
    this.saidGoodbye = true;
    this.membership.left();
    for (const peer of others) peer.outbox.sendControl({ kind: 'goodbye', members: [this.membership.self()] });
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
    this.clock.after(this.stepMs, () => {
      if (this.step !== step) return;
      this.log.warn(`left without waiting longer for ${what}`);
      this.step = null;
      next();
    });
    this.clock.endOfTurn(() => this.check());
  }
}
