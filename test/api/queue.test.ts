import fc from 'fast-check';
import t from 'tap';
import { type Consumer, Queue } from '../../src/api/queue.js';
import { live } from './live.js';

/** A queue on a clock of its own; `turn` is the end of an event-loop turn. */
function local(limits = { topicSize: 2000, maxTopics: 100 }) {
  const due: (() => void)[] = [];
  const clock = { time: 0, now: () => clock.time, endOfTurn: (fn: () => void) => void due.push(fn) };
  const drops: string[] = [];
  const meter = { count: (_: string, __?: number, label = '') => void drops.push(label), observe() {} };
  const queue = new Queue('node-1', limits, clock, meter);
  const turn = () => {
    for (const fn of due.splice(0)) fn();
  };
  return { queue, turn, clock, drops };
}

/** A back end whose connection takes `room` bytes at once; the rest stays in its buffer until `drain`. */
class FakeConsumer implements Consumer {
  readonly got: number[] = [];
  /** What it may acknowledge, as value and number. */
  readonly numbers = new Map<number, number>();
  readonly again: number[] = [];
  private waiting = 0;
  constructor(private room = Number.POSITIVE_INFINITY) {}
  buffered(): number {
    return this.waiting;
  }
  writeEvents(events: readonly string[]): void {
    for (const event of events) {
      const { d, q, r } = JSON.parse(event).p;
      this.got.push(d);
      if (q !== undefined) this.numbers.set(d, q);
      if (r) this.again.push(d);
      const bytes = Buffer.byteLength(event) + 2;
      const taken = Math.min(this.room, bytes);
      this.room -= taken;
      this.waiting += bytes - taken;
    }
  }
  drain(bytes: number): void {
    this.waiting = Math.max(0, this.waiting - bytes);
  }
}

const push = (queue: Queue, topic: string, ...values: number[]) => {
  for (const value of values) queue.push(topic, '77', String(value));
};

t.test('values are handed over as the events that existing clients expect', async (t) => {
  const { queue, socket } = await live(t);
  const client = await socket();
  t.equal(await client.ask({ m: 'queue.pop', p: { t: ['login'] }, i: 1 }), '{"E":null,"r":{"s":true},"i":1}');
  t.same(queue.push('login', '6442450944000000001', '{"user":"ann"}'), { ok: true, length: 1 });
  t.equal(
    await client.next(),
    '{"e":"queue.pop","p":{"n":"node-1","c":"6442450944000000001","t":"login","d":{"user":"ann"}}}',
  );
});

t.test('what was pushed before anybody consumed goes to the first consumer, in order', async (t) => {
  const { queue, turn } = local();
  push(queue, 'a', 1, 2, 3);
  turn();
  const first = new FakeConsumer();
  queue.consume(first, ['a']);
  turn();
  t.same(first.got, [1, 2, 3]);
  t.equal(queue.depths().get('a'), 0);
});

t.test('several consumers share a topic: each value goes to one, in turn', async (t) => {
  const { queue, turn } = local();
  const both = [new FakeConsumer(), new FakeConsumer()];
  for (const consumer of both) queue.consume(consumer, ['a']);
  for (let value = 0; value < 6; value++) {
    push(queue, 'a', value);
    turn();
  }
  t.same(
    both.map((consumer) => consumer.got),
    [
      [0, 2, 4],
      [1, 3, 5],
    ],
  );
});

t.test('one consumer may have several topics', async (t) => {
  const { queue, turn } = local();
  const one = new FakeConsumer();
  queue.consume(one, ['a', 'b']);
  push(queue, 'a', 1);
  push(queue, 'b', 2);
  push(queue, 'c', 3);
  turn();
  t.same(one.got, [1, 2]);
});

t.test(
  'a consumer that goes away in the middle leaves its unsent values to the others, in order and once',
  async (t) => {
    const { queue, turn } = local();
    const slow = new FakeConsumer(150);
    queue.consume(slow, ['a']);
    push(queue, 'a', 1, 2, 3, 4, 5);
    turn();
    t.same(slow.got, [1, 2, 3, 4, 5], 'written, but only two fit');
    push(queue, 'a', 6);
    turn();
    t.equal(queue.depths().get('a'), 1, 'nothing more while its buffer is not empty');
    const other = new FakeConsumer();
    queue.consume(other, ['a']);
    turn();
    t.same(other.got, [6]);
    queue.gone(slow);
    turn();
    t.same(other.got, [6, 3, 4, 5]);
  },
);

t.test('a consumer that stopped and then goes away leaves its unsent values to the others, too', async (t) => {
  const { queue, turn } = local();
  const slow = new FakeConsumer(150);
  queue.consume(slow, ['a']);
  push(queue, 'a', 1, 2, 3, 4, 5);
  turn();
  t.ok(queue.cancel(slow));
  t.notOk(queue.cancel(slow), 'it has stopped already');
  t.equal(queue.consume(slow, ['b']), null, 'and may begin again');
  t.ok(queue.cancel(slow));
  queue.gone(slow);
  const other = new FakeConsumer();
  queue.consume(other, ['a']);
  turn();
  t.same(other.got, [3, 4, 5]);
});

t.test('a consumer whose buffer went down gets the next values', async (t) => {
  const { queue, turn } = local();
  const slow = new FakeConsumer(10);
  queue.consume(slow, ['a']);
  push(queue, 'a', 1);
  turn();
  push(queue, 'a', 2);
  turn();
  t.same(slow.got, [1]);
  slow.drain(5);
  queue.drained(slow);
  turn();
  t.same(slow.got, [1], 'a part is still there');
  slow.drain(1000);
  queue.drained(slow);
  turn();
  t.same(slow.got, [1, 2]);
});

t.test(
  'a consumer that acknowledges has at most its window, and what it did not acknowledge goes to the others',
  async (t) => {
    const { queue, turn } = local();
    const [one, other] = [new FakeConsumer(), new FakeConsumer()];
    t.equal(queue.consume(one, ['a'], 2), null);
    push(queue, 'a', 1, 2, 3, 4, 5);
    turn();
    t.same(one.got, [1, 2]);
    t.equal(queue.acknowledge(one, one.numbers.get(1)), null);
    turn();
    t.same(one.got, [1, 2, 3]);
    t.same([...queue.unacknowledged()], [['a', 2]]);
    queue.gone(one);
    queue.consume(other, ['a'], 10);
    turn();
    t.same(
      [other.got, other.again],
      [
        [2, 3, 4, 5],
        [2, 3],
      ],
      'in order, and those that somebody had are marked',
    );
    t.equal(queue.acknowledge(other, [...other.numbers.values()]), null);
    queue.gone(other);
    t.same([...queue.depths().values(), ...queue.unacknowledged().values()], []);
  },
);

t.test('who shares a topic is passed over while the window is full', async (t) => {
  const { queue, turn } = local();
  const [narrow, wide, plain] = [new FakeConsumer(), new FakeConsumer(), new FakeConsumer()];
  queue.consume(narrow, ['a'], 1);
  queue.consume(wide, ['a'], 3);
  push(queue, 'a', 1, 2, 3, 4, 5, 6);
  turn();
  t.same([narrow.got, wide.got, queue.depths().get('a')], [[1], [2, 3, 4], 2]);
  queue.consume(plain, ['a']);
  turn();
  t.same([plain.got, plain.numbers.size], [[5, 6], 0]);
});

t.test('after it has stopped it may still acknowledge what it has', async (t) => {
  const { queue, turn } = local();
  const one = new FakeConsumer();
  queue.consume(one, ['a', 'b'], 10);
  push(queue, 'a', 1, 2);
  push(queue, 'b', 3);
  turn();
  t.ok(queue.cancel(one));
  t.equal(
    queue.acknowledge(
      one,
      [1, 3].map((value) => one.numbers.get(value)),
    ),
    null,
  );
  queue.gone(one);
  t.same([...queue.depths()], [['a', 1]]);
});

t.test('a wrong number is named, and the right ones beside it count', async (t) => {
  const { queue, turn } = local();
  const one = new FakeConsumer();
  t.match(queue.acknowledge(one, 1), { code: 101, message: 'q: this connection has no value 1 to acknowledge' });
  queue.consume(one, ['a'], 10);
  push(queue, 'a', 1, 2);
  turn();
  t.match(queue.acknowledge(one, 77), { code: 101, message: /no value 77/ });
  for (const wrong of ['1', null, undefined, {}, 1.5, [one.numbers.get(1), '1']]) {
    t.match(queue.acknowledge(one, wrong), { code: 101, message: /^q must be the number of a value/ });
  }
  t.match(queue.acknowledge(one, [one.numbers.get(1), one.numbers.get(1)]), { code: 101 }, 'twice');
  t.same([...queue.unacknowledged()], [['a', 1]]);
  for (const window of [0, -1, 1.5, 10_001, '5', true]) {
    t.match(queue.consume(new FakeConsumer(), ['a'], window), {
      code: 101,
      message: /^k must be a whole number from 1/,
    });
  }
});

t.test('whatever consumers do, each value is acknowledged once or still there', async () => {
  const consumer = fc.nat(2);
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), topic: fc.constantFrom('a', 'b') }),
    fc.record({ do: fc.constant('consume' as const), consumer, window: fc.integer({ min: 1, max: 4 }) }),
    fc.record({ do: fc.constant('acknowledge' as const), consumer, share: fc.integer({ min: 1, max: 3 }) }),
    fc.record({ do: fc.constant('cancel' as const), consumer }),
    fc.record({ do: fc.constant('gone' as const), consumer }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const { queue, turn } = local();
      const consumers = [0, 1, 2].map(() => new FakeConsumer());
      const done: number[] = [];
      let pushed = 0;
      for (const one of steps) {
        if (one.do === 'push') push(queue, one.topic, pushed++);
        else if (one.do === 'consume') queue.consume(consumers[one.consumer], ['a', 'b'], one.window);
        else if (one.do === 'cancel') queue.cancel(consumers[one.consumer]);
        else if (one.do === 'gone') {
          queue.gone(consumers[one.consumer]);
          consumers[one.consumer] = new FakeConsumer();
        } else {
          const { numbers } = consumers[one.consumer];
          for (const [value, number] of [...numbers].slice(0, one.share)) {
            numbers.delete(value);
            if (queue.acknowledge(consumers[one.consumer], number) !== null) return false;
            done.push(value);
          }
        }
        turn();
      }
      for (const one of consumers) queue.gone(one);
      const last = new FakeConsumer();
      queue.consume(last, ['a', 'b']);
      turn();
      return [...done, ...last.got].sort((x, y) => x - y).join() === [...Array(pushed).keys()].join();
    }),
    { numRuns: 2000 },
  );
});

t.test('values are acknowledged over a connection, and come back when it ends', async (t) => {
  const { queue, socket } = await live(t);
  const first = await socket();
  await first.ask({ m: 'queue.pop', p: { t: ['login'], k: 10 } });
  queue.push('login', '7', '"ann"');
  queue.push('login', '7', '"bob"');
  t.equal(await first.next(), '{"e":"queue.pop","p":{"n":"node-1","c":"7","t":"login","d":"ann","q":1}}');
  await first.next();
  t.equal(await first.ask({ m: 'queue.ack', p: { q: 1 }, i: 5 }), '{"E":null,"r":{"s":true},"i":5}');
  t.match(JSON.parse(await first.ask({ m: 'queue.ack', p: { q: [1] } })), { E: { c: 101, m: /no value 1/ } });
  first.ws.terminate();
  const second = await socket();
  await second.ask({ m: 'queue.pop', p: { t: ['login'], k: 10 } });
  t.equal(await second.next(), '{"e":"queue.pop","p":{"n":"node-1","c":"7","t":"login","d":"bob","q":3,"r":true}}');
});

t.test('bounds hold: a full topic, one topic too many, nonsense', async (t) => {
  const { queue, drops } = local({ topicSize: 2, maxTopics: 2 });
  push(queue, 'a', 1, 2);
  t.same(queue.push('a', '1', '3'), { ok: false, error: 'topic a is full: 2 values wait' });
  push(queue, 'b', 1);
  t.match(queue.push('c', '1', '1'), { ok: false, error: /2 topics already/ });
  t.match(queue.push('', '1', '1'), { ok: false });
  t.same(drops, ['queue_full', 'queue_topics']);
  t.match(queue.consume(new FakeConsumer(), ['c']), { code: 201 });
  t.match(queue.consume(new FakeConsumer(), 'a'), { code: 101 });
  t.match(queue.consume(new FakeConsumer(), [1]), { code: 101 });
});

t.test('an emptied topic without consumers makes room for another', async (t) => {
  const { queue, turn } = local({ topicSize: 2, maxTopics: 1 });
  const one = new FakeConsumer();
  push(queue, 'a', 1);
  queue.consume(one, ['a']);
  turn();
  queue.cancel(one);
  t.match(queue.push('b', '1', '1'), { ok: true });
});

t.test('depth and age of each topic can be read', async (t) => {
  const { queue, clock } = local();
  push(queue, 'a', 1);
  clock.time = 1500;
  push(queue, 'a', 2);
  t.same([...queue.depths()], [['a', 2]]);
  t.same([...queue.ages()], [['a', 1.5]]);
});

t.test('consuming twice is error 202, stopping what was not started 203', async (t) => {
  const { socket, queue } = await live(t);
  const client = await socket();
  t.match(JSON.parse(await client.ask({ m: 'queue.unpop', i: 1 })), { E: { c: 203 }, i: 1 });
  await client.ask({ m: 'queue.pop', p: { t: ['a'] } });
  t.match(JSON.parse(await client.ask({ m: 'queue.pop', p: { t: ['b'] } })), { E: { c: 202 } });
  t.equal(await client.ask({ m: 'queue.unpop', i: 2 }), '{"E":null,"r":{"s":true},"i":2}');
  queue.push('a', '1', '1');
  t.match(JSON.parse(await client.ask({ m: 'queue.pop', p: { t: ['a'] } })), { E: null });
  t.match(JSON.parse(await client.next()), { e: 'queue.pop', p: { d: 1 } });
  t.match(JSON.parse(await client.ask({ m: 'queue.pop', p: {} })), { E: { c: 101 } });
});

t.test('a real connection that stops reading and is cut leaves what it did not get to the next', async (t) => {
  const { socket, queue } = await live(t, { queue: { topicSize: 500, maxTopics: 10 } });
  const stuck = await socket();
  await stuck.ask({ m: 'queue.pop', p: { t: ['a'] } });
  stuck.ws.pause();
  const value = JSON.stringify('x'.repeat(100_000));
  for (let i = 0; i < 400; i++) queue.push('a', String(i), value);
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
  const waiting = queue.depths().get('a') ?? 0;
  t.ok(waiting > 100, `${waiting} wait`);
  stuck.ws.terminate();
  const next = await socket();
  await next.ask({ m: 'queue.pop', p: { t: ['a'] } });
  const got = new Set<string>();
  while (!got.has('399')) got.add(JSON.parse(await next.next()).p.c);
  t.ok(got.size >= waiting, `${got.size} arrived`);
  const first = Math.min(...[...got].map(Number));
  t.equal(got.size, 400 - first, 'without a hole');
});
