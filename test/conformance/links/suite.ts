/**
 * What the core relies on in its Links port, as one suite for every implementation of it: gRPC between processes and the
 * simulator's network in memory. A world is a network with nodes on it; `until` lets it run, in real or in virtual time.
 */
import type { Test } from 'tap';
import type { Frame } from '../../../src/core/frames.js';
import type { Lane, LinkEnd, LinkEvents, LinkId, Links } from '../../../src/core/ports.js';

export interface Side {
  readonly links: Links;
  /** What others dial. */
  readonly address: string;
  attach(events: LinkEvents): void;
}

export interface World {
  node(name: string): Promise<Side>;
  /** The process is gone without a word. */
  kill(side: Side): void;
  /** An address at which nobody listens. */
  nobody(): Promise<string>;
  /** Lets the world run until the condition holds; fails when it does not come to hold. */
  until(what: string, condition: () => boolean): Promise<void>;
  end(): Promise<void>;
}

/** A node that writes down what its links tell, and fails when one comes from within a call of Links. */
class Recorder implements LinkEvents {
  readonly opens: { link: LinkId; dialed: string | null; remote: string }[] = [];
  readonly ends: { link: LinkId; end: LinkEnd; text: string }[] = [];
  readonly frames: { link: LinkId; lane: Lane; frame: Frame }[] = [];
  readonly drains: { link: LinkId; lane: Lane }[] = [];
  calling = false;

  constructor(readonly side: Side) {
    side.attach(this);
  }

  get address(): string {
    return this.side.address;
  }

  dial(address: string): LinkId {
    return this.#call(() => this.side.links.dial(address));
  }

  send(link: LinkId, lane: Lane, frames: readonly Frame[]): boolean {
    return this.#call(() => this.side.links.send(link, lane, frames));
  }

  close(link: LinkId, reason: string): void {
    this.#call(() => this.side.links.close(link, reason));
  }

  of(lane: Lane): Frame[] {
    return this.frames.filter((entry) => entry.lane === lane).map((entry) => entry.frame);
  }

  opened(link: LinkId, dialed: string | null, remote: string): void {
    this.#heard();
    this.opens.push({ link, dialed, remote });
  }

  received(link: LinkId, lane: Lane, frames: readonly Frame[]): void {
    this.#heard();
    for (const frame of frames) this.frames.push({ link, lane, frame });
  }

  drained(link: LinkId, lane: Lane): void {
    this.#heard();
    this.drains.push({ link, lane });
  }

  closed(link: LinkId, end: LinkEnd, text: string): void {
    this.#heard();
    this.ends.push({ link, end, text });
  }

  #call<T>(fn: () => T): T {
    this.calling = true;
    try {
      return fn();
    } finally {
      this.calling = false;
    }
  }

  #heard(): void {
    if (this.calling) throw new Error('an event came from within a call of Links');
  }
}

const ping = (seq: number): Frame => ({ kind: 'ping', seq, updates: [] });
const publish = (seq: number, bytes = 8): Frame => ({
  kind: 'publish',
  seq,
  channel: 'user:1',
  binary: true,
  data: Buffer.alloc(bytes, seq),
});

/** Registers the suite under `name`. */
export function linksConformance(t: Test, name: string, makeWorld: () => Promise<World>): void {
  t.test(`links conformance: ${name}`, async (t) => {
    const pair = async (t: Test) => {
      const world = await makeWorld();
      t.teardown(() => world.end());
      const a = new Recorder(await world.node('a'));
      const b = new Recorder(await world.node('b'));
      return { world, a, b };
    };
    const open = async (t: Test) => {
      const { world, a, b } = await pair(t);
      const ab = a.dial(b.address);
      await world.until('both sides are open', () => a.opens.length === 1 && b.opens.length === 1);
      return { world, a, b, ab, ba: b.opens[0].link };
    };

    t.test('a dial opens a link on both sides, and only the dialer knows an address', async (t) => {
      const { a, b, ab } = await open(t);
      t.match(a.opens, [{ link: ab, dialed: b.address }]);
      t.equal(b.opens[0].dialed, null);
      t.not(b.opens[0].remote, '');
      t.strictSame([a.ends, b.ends], [[], []]);
    });

    t.test('frames of a lane arrive as they were and in order, both ways', async (t) => {
      const { world, a, b, ab, ba } = await open(t);
      for (let i = 1; i <= 50; i++) {
        a.send(ab, 'data', [publish(i), publish(i + 1000)]);
        a.send(ab, 'control', [ping(i)]);
        b.send(ba, 'control', [ping(-i + 100)]);
      }
      await world.until('all have arrived', () => b.frames.length === 150 && a.frames.length === 50);
      t.match(
        b.of('control').map((frame) => (frame as { seq: number }).seq),
        Array.from({ length: 50 }, (_, i) => i + 1),
      );
      t.match(
        b.of('data').map((frame) => (frame as { seq: number }).seq),
        Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? i / 2 + 1 : (i - 1) / 2 + 1001)),
      );
      t.match(b.of('data')[4], { kind: 'publish', channel: 'user:1', binary: true });
      t.strictSame([...(b.of('data')[4] as { data: Uint8Array }).data], [...Buffer.alloc(8, 3)]);
      t.equal((a.of('control')[49] as { seq: number }).seq, 50);
    });

    t.test('where nobody listens a dial is refused', async (t) => {
      const { world, a } = await pair(t);
      const link = a.dial(await world.nobody());
      await world.until('the dial has ended', () => a.ends.length === 1);
      t.match(a.ends, [{ link, end: 'refused' }]);
      t.notOk(a.send(link, 'control', [ping(1)]), 'nothing can be sent on it');
    });

    t.test('a close sends what was given before, and only the other side hears of the end', async (t) => {
      const { world, a, b, ab, ba } = await open(t);
      for (let i = 1; i <= 20; i++) a.send(ab, i % 2 ? 'data' : 'control', [i % 2 ? publish(i) : ping(i)]);
      a.close(ab, 'enough');
      t.notOk(a.send(ab, 'data', [publish(99)]), 'a closed link takes nothing');
      await world.until('the end is heard', () => b.ends.length === 1);
      t.match(b.ends, [{ link: ba, end: 'ended' }]);
      t.equal(b.frames.length, 20);
      t.notOk(b.send(ba, 'control', [ping(1)]));
      t.strictSame(a.ends, []);
      a.close(ab, 'again');
      b.close(ba, 'again');
    });

    t.test('a dial that is closed before it opens says nothing more', async (t) => {
      const { world, a, b } = await pair(t);
      const given = a.dial(b.address);
      a.close(given, 'changed my mind');
      const kept = a.dial(b.address);
      await world.until('the other dial is open', () => a.opens.length === 1);
      t.equal(a.opens[0].link, kept);
      t.strictSame(a.ends, []);
    });

    t.test('a process that is gone resets its links', async (t) => {
      const { world, a, b, ab } = await open(t);
      a.send(ab, 'control', [ping(1)]);
      await world.until('the ping is there', () => b.frames.length === 1);
      world.kill(b.side);
      await world.until('the link has ended', () => a.ends.length === 1);
      t.match(a.ends, [{ link: ab, end: 'reset' }]);
    });

    t.test('two links of one pair are apart', async (t) => {
      const { world, a, b, ab } = await open(t);
      const second = a.dial(b.address);
      await world.until('the second is open', () => a.opens.length === 2 && b.opens.length === 2);
      t.not(second, ab);
      a.close(ab, 'the first goes');
      a.send(second, 'data', [publish(7)]);
      await world.until('the first has ended', () => b.ends.length === 1 && b.frames.length === 1);
      t.equal(b.frames[0].link, b.opens[1].link);
      t.equal(b.ends[0].link, b.opens[0].link);
    });

    t.test('a full lane says so, loses nothing, and says when there is room again', async (t) => {
      const { world, a, b, ab } = await open(t);
      let sent = 0;
      while (a.send(ab, 'data', [publish(++sent, 60_000)])) if (sent > 1000) break;
      t.ok(sent <= 1000, 'the lane is full at some time');
      await world.until('there is room', () => a.drains.length === 1);
      t.strictSame(a.drains, [{ link: ab, lane: 'data' }]);
      a.send(ab, 'data', [publish(++sent)]);
      await world.until('all have arrived', () => b.of('data').length === sent);
      t.strictSame(
        b.of('data').map((frame) => (frame as { seq: number }).seq),
        Array.from({ length: sent }, (_, i) => i + 1),
      );
    });
  });
}
