/**
 * Whom to dial, and when: members without a session, seeds while this node joins or is alone, nodes that asked to be called
 * back, and now and then a dead member or a seed, so that partitions heal. The lower node id dials; the higher one tries as
 * well, a little later, since only a dial shows that nobody listens there any more (membership.ts linkLost).
 */
import type { MemberRecord } from './frames.js';
import type { Clock, Random } from './ports.js';

export interface DialerLimits {
  readonly redialMinMs: number;
  readonly redialMaxMs: number;
  readonly healMs: number;
}

export interface DialerRoles {
  readonly clock: Clock;
  readonly random: Random;
  /** This address is worth another dial: a member without session, or a seed that is still needed. */
  wanted(address: string): boolean;
  isDialing(address: string): boolean;
  dial(address: string): void;
  /** Addresses that may lead to another part of a split mesh. */
  strays(): readonly string[];
}

/** Dials of one address that had no success, and whether another is under way. */
interface Tries {
  failures: number;
  scheduled: boolean;
  /** Dials that were asked for although nobody there is a member yet. */
  favours: number;
}

/** A node that asked to be called back is tried so often. */
const FAVOURS = 4;

export class Dialer {
  private readonly tries = new Map<string, Tries>();
  private stopped = false;

  constructor(
    private readonly limits: DialerLimits,
    private readonly roles: DialerRoles,
  ) {}

  start(): void {
    this.roles.clock.after(this.limits.healMs * (0.5 + this.roles.random.fraction()), () => this.heal());
  }
  stop(): void {
    this.stopped = true;
  }

  /** Dials now, or in `delayMs`, and goes on with growing pauses while the address is wanted. */
  want(address: string, delayMs = 0): void {
    const tries = this.triesOf(address);
    if (tries.scheduled || this.roles.isDialing(address)) return;
    if (delayMs <= 0) return this.go(address, tries);
    tries.scheduled = true;
    this.roles.clock.after(delayMs, () => {
      tries.scheduled = false;
      this.go(address, tries);
    });
  }

  callBack({ address }: MemberRecord): void {
    this.triesOf(address).favours = FAVOURS;
    this.want(address);
  }

  /** A dial ended; a success is forgotten at once. */
  ended(address: string, success: boolean): void {
    const tries = this.triesOf(address);
    if (success) {
      this.tries.delete(address);
      return;
    }
    tries.failures++;
    if (tries.favours > 0) tries.favours--;
    if (tries.favours === 0 && !this.roles.wanted(address)) {
      this.tries.delete(address);
      return;
    }
    const pause = Math.min(this.limits.redialMaxMs, this.limits.redialMinMs * 2 ** (tries.failures - 1));
    this.want(address, pause * (0.75 + this.roles.random.fraction() / 2));
  }

  private triesOf(address: string): Tries {
    let tries = this.tries.get(address);
    if (tries === undefined) {
      tries = { failures: 0, scheduled: false, favours: 0 };
      this.tries.set(address, tries);
    }
    return tries;
  }

  private go(address: string, tries: Tries): void {
    if (this.stopped || this.roles.isDialing(address)) return;
    if (tries.favours === 0 && !this.roles.wanted(address)) {
      this.tries.delete(address);
      return;
    }
    this.roles.dial(address);
  }

  private heal(): void {
    if (this.stopped) return;
    this.roles.clock.after(this.limits.healMs, () => this.heal());
    const strays = this.roles.strays();
    if (strays.length === 0) return;
    const address = strays[Math.floor(this.roles.random.fraction() * strays.length)];
    this.triesOf(address).favours = 1;
    this.want(address);
  }
}
