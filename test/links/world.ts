/** Links on loopback for tests: made with port 0, a log that is kept, counters that can be read, and waiting without sleeping. */
import type { LinkEvents, Log, Meter } from '../../src/core/ports.js';
import { createLinks, type GrpcLinks } from '../../src/links/links.js';
import type { LinksOptions } from '../../src/links/options.js';
import { claimPort } from '../ports.js';

export interface LogLine {
  readonly level: keyof Log;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class TestLog implements Log {
  readonly lines: LogLine[] = [];
  debug = this.#level('debug');
  info = this.#level('info');
  warn = this.#level('warn');
  error = this.#level('error');

  #level(level: keyof Log): Log['info'] {
    return (message, fields = {}) => {
      this.lines.push({ level, message, fields });
      wake();
    };
  }
}

export class TestMeter implements Meter {
  readonly counts = new Map<string, number>();
  count(name: string, by = 1, label = ''): void {
    const key = label === '' ? name : `${name} ${label}`;
    this.counts.set(key, (this.counts.get(key) ?? 0) + by);
  }
  observe(): void {}
}

const sleepers = new Set<() => void>();
/** Something happened: conditions are looked at again. */
export function wake(): void {
  for (const sleeper of sleepers) sleeper();
}

/** Waits for events until the condition holds. The time bound is only there to fail with words instead of hanging. */
export function until(what: string, condition: () => boolean): Promise<void> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      sleepers.delete(look);
      reject(new Error(`never: ${what}`));
    }, 30_000);
    const look = () => {
      if (!condition()) return;
      clearTimeout(late);
      sleepers.delete(look);
      resolve();
    };
    sleepers.add(look);
    look();
  });
}

/** Events that wake those who wait. */
export function waking(events: LinkEvents): LinkEvents {
  const after =
    <A extends unknown[]>(fn: (...args: A) => void) =>
    (...args: A) => {
      fn(...args);
      wake();
    };
  return {
    opened: after((...args) => events.opened(...args)),
    received: after((...args) => events.received(...args)),
    drained: after((...args) => events.drained(...args)),
    closed: after((...args) => events.closed(...args)),
  };
}

export interface TestNode {
  readonly links: GrpcLinks;
  readonly log: TestLog;
  readonly meter: TestMeter;
}

export async function startLinks(nodeId: string, options: Partial<LinksOptions> = {}): Promise<TestNode> {
  const log = new TestLog();
  const meter = new TestMeter();
  const links = await createLinks(
    {
      bind: '127.0.0.1',
      port: 0,
      clusterName: 'test',
      secret: 'a secret',
      nodeId,
      tls: { cert: '', key: '', ca: '' },
      ...options,
    },
    log,
    meter,
  );
  return { links, log, meter };
}

/** An address at which nobody listens. */
export async function freeAddress(): Promise<string> {
  return `127.0.0.1:${await claimPort()}`;
}
