/** What every implementation of the core's Sockets port must do. Run against the gateway and against a plain one in memory. */
import fc from 'fast-check';
import t from 'tap';
import type { Message } from '../../../src/core/message.js';
import type { Audience, Delivered, Sockets, Subscriber } from '../../../src/core/ports.js';

/** One end of a subscriber: what the core holds, and what came out at the other side. */
export interface Seat {
  readonly subscriber: Subscriber;
  /** The first `count` payloads that arrived. */
  received(count: number): Promise<string[]>;
}

export interface Bench {
  readonly sockets: Sockets;
  /** A subscriber of whatever kind this bench is about. */
  seat(): Promise<Seat>;
  /** The end of an event-loop turn. */
  turn(): Promise<void>;
  close(): Promise<void>;
}

class LocalChannel implements Audience {
  readonly subscribers = new Set<Subscriber>();
  notes: unknown = null;
  constructor(
    readonly channel: string,
    private readonly sockets: Sockets,
  ) {}
  join({ subscriber }: Seat): void {
    this.subscribers.add(subscriber);
    this.sockets.joined(this, subscriber);
  }
  leave({ subscriber }: Seat): void {
    this.subscribers.delete(subscriber);
    this.sockets.left(this, subscriber);
  }
  publish(text: string): Delivered {
    const message: Message = { channel: this.channel, data: Buffer.from(text), binary: false };
    return this.sockets.deliver(this, message);
  }
}

/** Below, around and far above the number at which a channel becomes wide. */
const SIZES = [1, 3, 7, 8, 9, 40];

export function conform(name: string, make: () => Promise<Bench>): void {
  t.test(`${name}: everybody gets each message once, and the counts say so`, async (t) => {
    const bench = await make();
    for (const size of SIZES) {
      const channel = new LocalChannel(`c${size}`, bench.sockets);
      const seats = await Promise.all(Array.from({ length: size }, () => bench.seat()));
      for (const seat of seats) channel.join(seat);
      for (const text of ['a', 'b', 'c']) t.same(channel.publish(text), { success: size, fail: 0 }, `of ${size}`);
      for (const seat of seats) t.same(await seat.received(3), ['a', 'b', 'c']);
    }
    await bench.close();
  });

  t.test(`${name}: a channel without subscribers counts nothing`, async (t) => {
    const bench = await make();
    t.same(new LocalChannel('empty', bench.sockets).publish('x'), { success: 0, fail: 0 });
    await bench.close();
  });

  t.test(`${name}: order holds while a channel grows and shrinks, within one turn and over many`, async (t) => {
    for (const pause of [false, true]) {
      const bench = await make();
      const channel = new LocalChannel('c', bench.sockets);
      const seats = await Promise.all(Array.from({ length: 20 }, () => bench.seat()));
      const expected = seats.map(() => [] as string[]);
      let next = 0;
      const publish = async (present: number) => {
        const text = String(next++);
        t.same(channel.publish(text), { success: present, fail: 0 });
        for (let i = 0; i < present; i++) expected[i].push(text);
        if (pause) await bench.turn();
      };
      for (let i = 0; i < seats.length; i++) {
        channel.join(seats[i]);
        await publish(i + 1);
      }
      for (let i = seats.length - 1; i > 0; i--) {
        channel.leave(seats[i]);
        await publish(i);
      }
      for (let i = 0; i < seats.length; i++) t.same(await seats[i].received(expected[i].length), expected[i]);
      await bench.close();
    }
  });

  t.test(
    `${name}: after any joins, leaves and publishes, each has what was published while it was there`,
    async (t) => {
      const bench = await make();
      const seats = await Promise.all(Array.from({ length: 12 }, () => bench.seat()));
      const expected = seats.map(() => [] as string[]);
      let run = 0;
      const step = fc.oneof(
        fc.record({ op: fc.constant('flip' as const), seat: fc.nat(seats.length - 1), channel: fc.nat(1) }),
        fc.record({ op: fc.constant('publish' as const), seat: fc.constant(0), channel: fc.nat(1) }),
        fc.record({ op: fc.constant('turn' as const), seat: fc.constant(0), channel: fc.constant(0) }),
      );
      const property = fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 120 }), async (steps) => {
        run++;
        const channels = [new LocalChannel(`p${run}`, bench.sockets), new LocalChannel(`q${run}`, bench.sockets)];
        const there = channels.map(() => new Set<number>());
        for (const [i, { op, seat, channel }] of steps.entries()) {
          if (op === 'turn') await bench.turn();
          else if (op === 'flip' && there[channel].delete(seat)) channels[channel].leave(seats[seat]);
          else if (op === 'flip') {
            there[channel].add(seat);
            channels[channel].join(seats[seat]);
          } else {
            const text = `${channel}:${run}.${i}`;
            const counts = channels[channel].publish(text);
            if (counts.success !== there[channel].size || counts.fail !== 0) throw new Error(JSON.stringify(counts));
            for (const present of there[channel]) expected[present].push(text);
          }
        }
        for (const [channel, present] of there.entries())
          for (const seat of present) channels[channel].leave(seats[seat]);
      });
      await fc.assert(property, { numRuns: 40 });
      for (let i = 0; i < seats.length; i++) {
        const got = await seats[i].received(expected[i].length);
        // Order is promised per channel, not between two.
        for (const channel of ['0:', '1:']) {
          const of = (texts: string[]) => texts.filter((text) => text.startsWith(channel));
          t.same(of(got), of(expected[i]), `seat ${i}, channel ${channel}`);
        }
      }
      await bench.close();
    },
  );
}
