import t from 'tap';
import { SkewedClock } from '../../src/sim/clock.js';
import { Network } from '../../src/sim/network.js';
import { SeededRandom } from '../../src/sim/random.js';
import { type Host, VirtualTime } from '../../src/sim/time.js';

function host(): Host {
  return { alive: true, stalledUntil: 0, endTurn: () => {} };
}

function run(time: VirtualTime, until: number): void {
  while (time.step(until));
}

t.test('one seed always draws the same, and its streams are independent', async (t) => {
  const draw = (seed: number, stream: string) => {
    const random = new SeededRandom(seed, stream);
    return Array.from({ length: 20 }, () => random.uint32());
  };
  t.strictSame(draw(7, 'a'), draw(7, 'a'));
  t.notSame(draw(7, 'a'), draw(7, 'b'));
  t.notSame(draw(7, 'a'), draw(8, 'a'));
  const random = new SeededRandom(1);
  for (let i = 0; i < 1000; i++) {
    const n = random.whole(3, 5);
    if (n < 3 || n > 5) t.fail(`${n} is not between 3 and 5`);
  }
});

t.test('events happen in the order of their time, and of their making where times are equal', async (t) => {
  const time = new VirtualTime();
  const seen: number[] = [];
  const random = new SeededRandom(3);
  const times = Array.from({ length: 500 }, () => random.below(50));
  times.forEach((at, i) => time.at(at, null, () => seen.push(i)));
  run(time, 100);
  const expected = times.map((_, i) => i).sort((a, b) => times[a] - times[b] || a - b);
  t.strictSame(seen, expected);
  t.equal(time.now, 100);
});

t.test('a stalled process gets everything later and in order, a dead one nothing', async (t) => {
  const time = new VirtualTime();
  const stalled = { ...host(), stalledUntil: 50 };
  const dead = host();
  const seen: string[] = [];
  for (const at of [10, 20, 60]) {
    time.at(at, stalled, () => seen.push(`stalled ${at} at ${time.now}`));
    time.at(at, dead, () => seen.push('dead'));
  }
  dead.alive = false;
  run(time, 100);
  t.strictSame(seen, ['stalled 10 at 50', 'stalled 20 at 50', 'stalled 60 at 60']);
});

t.test('a clock runs at its own rate, and a cancelled timer stays silent', async (t) => {
  const time = new VirtualTime();
  const clock = new SkewedClock(time, host(), 1.1, 1000);
  const seen: number[] = [];
  clock.after(110, () => seen.push(time.now));
  const cancel = clock.after(10, () => seen.push(-1));
  cancel();
  run(time, 1000);
  t.equal(seen.length, 1);
  t.ok(Math.abs(seen[0] - 100) < 1e-9);
  t.ok(Math.abs(clock.now() - 2100) < 1e-9);
});

t.test(
  'what is sent on a held way arrives when it is free again, in order, and the other way is not held',
  async (t) => {
    const time = new VirtualTime();
    const latency = { minMs: 1, jitterMs: 5, slowShare: 0, slowMs: 0, spread: 1 };
    const network = new Network(time, new SeededRandom(1), latency, 1000);
    const heard: Record<string, number[]> = { a: [], b: [] };
    const links: Record<string, number> = {};
    const listen = (name: string) => {
      const endpoint = network.listen(name, host());
      endpoint.attach({
        opened: (link) => {
          links[name] = link;
        },
        received: (_link, _lane, frames) => {
          for (const frame of frames) heard[name].push((frame as { seq: number }).seq);
        },
        drained: () => {},
        closed: () => {},
      });
      return endpoint;
    };
    const a = listen('a');
    const b = listen('b');
    a.dial('b');
    run(time, 100);
    network.hold(network.place('a'), network.place('b'));
    for (let seq = 1; seq <= 20; seq++) a.send(links.a, 'data', [{ kind: 'ping', seq, updates: [] }]);
    b.send(links.b, 'data', [{ kind: 'ping', seq: 99, updates: [] }]);
    run(time, 1000);
    t.strictSame(heard, { a: [99], b: [] });
    network.release(network.place('a'), network.place('b'));
    run(time, 2000);
    t.strictSame(
      heard.b,
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
  },
);

t.test('a full lane says so, and says when it takes more', async (t) => {
  const time = new VirtualTime();
  const network = new Network(
    time,
    new SeededRandom(1),
    { minMs: 1, jitterMs: 0, slowShare: 0, slowMs: 0, spread: 1 },
    4,
  );
  const a = network.listen('a', host());
  network.listen('b', host());
  let link = 0;
  let drained = 0;
  a.attach({
    opened: (id) => {
      link = id;
    },
    received: () => {},
    drained: () => drained++,
    closed: () => {},
  });
  a.dial('b');
  run(time, 100);
  const ping = { kind: 'ping', seq: 1, updates: [] } as const;
  t.strictSame(
    Array.from({ length: 5 }, () => a.send(link, 'data', [ping])),
    [true, true, true, false, false],
  );
  run(time, 200);
  t.equal(drained, 1);
  t.ok(a.send(link, 'data', [ping]));
});
