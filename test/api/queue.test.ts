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
  readonly got: string[] = [];
  private waiting = 0;
  constructor(private room = Number.POSITIVE_INFINITY) {}
  buffered(): number {
    return this.waiting;
  }
  writeEvents(events: readonly string[]): void {
    for (const event of events) {
      this.got.push(JSON.parse(event).p.d);
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
