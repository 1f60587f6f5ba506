/** Slows guessing of passwords: after a few wrong logins an address waits, and twice as long after each further one. */

const FREE_FAILURES = 5;
const FIRST_WAIT_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;
const FORGET_AFTER_MS = 600_000;
const MAX_ADDRESSES = 10_000;

interface Record {
  failures: number;
  blockedUntil: number;
  last: number;
}

export class Brake {
  private readonly addresses = new Map<string, Record>();

  constructor(private readonly now: () => number) {}

  /** Milliseconds for which no login of this address is looked at; 0 when it may try. */
  waitMs(address: string): number {
    const record = this.addresses.get(address);
    return record === undefined ? 0 : Math.max(0, record.blockedUntil - this.now());
  }

  failed(address: string): void {
    const now = this.now();
    let record = this.addresses.get(address);
    if (record === undefined || now - record.last > FORGET_AFTER_MS) {
      record = { failures: 0, blockedUntil: 0, last: now };
    }
    record.failures++;
    record.last = now;
    const excess = record.failures - FREE_FAILURES;
    if (excess > 0)
      record.blockedUntil = now + Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(excess - 1, 16));
    // Re-inserted, so that the map's order is the order of the last failure and the oldest is forgotten first.
    this.addresses.delete(address);
    this.addresses.set(address, record);
    if (this.addresses.size > MAX_ADDRESSES) {
      for (const oldest of this.addresses.keys()) {
        this.addresses.delete(oldest);
        break;
      }
    }
  }

  succeeded(address: string): void {
    this.addresses.delete(address);
  }
}
