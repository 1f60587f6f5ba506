import t from 'tap';
import { patternName } from '../../src/core/pattern.js';
import { MeshNet } from './mesh-net.js';

const COMPLETE = (success: number) => ({ success, fail: 0, unconfirmed: [] });
const OK = { ok: true, degraded: false };

for (const [size, how] of [
  [3, 'all own all channels'],
  [12, 'owners are asked'],
] as const) {
  t.test(`in a mesh of ${size}, where ${how}, a pattern's subscriber gets every channel that matches`, async (t) => {
    const net = new MeshNet();
    const nodes = net.cluster(size);
    const sub = nodes[1].subscribe(patternName('room.*'));
    net.run(20);
    t.same(sub.outcome, OK);
    for (const [i, node] of nodes.entries()) {
      for (let n = 0; n < 4; n++) {
        const state = node.publish(`room.${i}`, `${i}.${n}`);
        net.run(10);
        t.same(state.result, COMPLETE(1));
      }
      const other = node.publish(`hall.${i}`, 'not for it');
      net.run(10);
      t.same(other.result, COMPLETE(0));
    }
    const expected = nodes.flatMap((_, i) => [0, 1, 2, 3].map((n) => `${i}.${n}`));
    t.same(sub.listener.got, expected);
    t.same(
      nodes.map((node) => node.counted.get('floods_total') ?? 0),
      nodes.map(() => 0),
      'a settled mesh sends to nobody in vain',
    );
  });
}

t.test(
  'a subscriber of a channel and of two patterns gets and counts a message three times, as in Redis',
  async (t) => {
    const net = new MeshNet();
    const [a, b] = net.cluster(2);
    const { listener } = b.subscribe('room.1');
    for (const pattern of ['room.*', '*']) b.mesh.subscribe(listener, patternName(pattern), () => {});
    net.run(20);
    const state = a.publish('room.1', 'x');
    net.run(10);
    t.same(state.result, COMPLETE(3));
    t.same(listener.got, ['x', 'x', 'x']);
    b.mesh.unsubscribeAll(listener, 'channel');
    t.same(b.mesh.channelsOf(listener), [' room.*', ' *'], 'patterns are left to themselves');
    b.mesh.unsubscribe(listener, patternName('*'));
    net.run(10);
    const less = a.publish('room.1', 'y');
    net.run(10);
    t.same(less.result, COMPLETE(1));
    b.mesh.unsubscribeAll(listener);
    net.run(10);
    const none = a.publish('room.1', 'z');
    net.run(10);
    t.same(none.result, COMPLETE(0));
    t.same(a.mesh.explain('room.1').patterns, [], 'nobody keeps a pattern without a subscriber');
  },
);

t.test('a channel whose name has a star in it is a channel', async (t) => {
  const net = new MeshNet();
  const [a, b] = net.cluster(2);
  const literal = b.subscribe('room.*');
  const pattern = b.subscribe(patternName('room.*'));
  net.run(20);
  a.publish('room.1', 'one');
  a.publish('room.*', 'star');
  net.run(10);
  t.same(literal.listener.got, ['star']);
  t.same(pattern.listener.got, ['one', 'star']);
});

t.test('what is published after a pattern is acknowledged arrives, thousands of times', async (t) => {
  for (const size of [3, 10]) {
    const net = new MeshNet();
    const nodes = net.cluster(size);
    let misses = 0;
    for (let i = 0; i < 1000; i++) {
      const on = nodes[i % size];
      const sub = on.subscribe(patternName(`*${i % 7}*`));
      while (sub.outcome === null) net.run(0.5);
      const state = nodes[(i + 1) % size].publish(`c${i % 7}x`, 'x');
      net.run(5);
      if (sub.listener.got.length !== 1 || state.result?.success !== 1) misses++;
      on.mesh.unsubscribeAll(sub.listener);
    }
    t.equal(misses, 0, `${size} nodes`);
  }
});

t.test('a node that joins knows the patterns of all before it publishes', async (t) => {
  for (const size of [2, 11]) {
    const net = new MeshNet();
    const nodes = net.cluster(size);
    const sub = nodes[size - 1].subscribe(patternName('room.*'));
    net.run(20);
    const late = net.start('late', ['n0']);
    while (!late.ready) net.run(0.5);
    const state = late.publish('room.1', 'first');
    net.run(200);
    t.same(sub.listener.got, ['first']);
    t.equal(state.result?.success, 1);
  }
});

t.test('a lease on a channel knows nothing of patterns, and need not', async (t) => {
  const net = new MeshNet();
  const [publisher, other] = net.leased('hot');
  t.equal(publisher.mesh.counts().leasesHeld, 1);
  const sub = other.subscribe(patternName('h*t'));
  while (sub.outcome === null) net.run(0.25);
  t.same(sub.outcome, OK);
  const state = publisher.publish('hot', 'by the lease');
  net.run(5);
  t.same(state.result, COMPLETE(1));
  t.same(sub.listener.got, ['by the lease']);
  t.match(publisher.mesh.explain('hot').route, [{ nodeId: other.name, why: 'pattern' }]);
});

t.test('a pattern that a member cannot be told of is not acknowledged', async (t) => {
  const net = new MeshNet({ subscribeTimeoutMs: 300 });
  const [a, b] = net.cluster(3);
  net.cut.add('n1>n0');
  const sub = b.subscribe(patternName('room.*'));
  net.run(250);
  t.equal(sub.outcome, null);
  net.run(100);
  t.same(sub.outcome, { ok: false, reason: 'timeout' });
  t.same(b.mesh.counts().patterns, 0);
  net.cut.clear();
  net.run(20_000);
  t.same(a.mesh.explain('room.1').patterns, []);
});

t.test(
  'one pattern more than a node may have is refused and counted; one that is there takes more subscribers',
  async (t) => {
    const net = new MeshNet({ maxPatterns: 2 });
    const [a] = net.cluster(2);
    for (const pattern of ['a*', 'b*', 'b*']) {
      const sub = a.subscribe(patternName(pattern));
      net.run(20);
      t.same(sub.outcome, OK);
    }
    t.same(a.subscribe(patternName('c*')).outcome, { ok: false, reason: 'node_limit' });
    t.equal(a.counted.get('drops_total'), 1);
    t.match(a.mesh.counts(), { patterns: 2, channels: 0, subscriptions: 3 });
  },
);

t.test('a node that leaves takes its patterns with it, and no publish fails for it', async (t) => {
  const net = new MeshNet();
  const [a, , c] = net.cluster(3);
  const sub = c.subscribe(patternName('*'));
  net.run(20);
  let left = false;
  c.mesh.leave(
    (drained) => {
      c.mesh.unsubscribeAll(sub.listener);
      drained();
    },
    () => {
      left = true;
    },
  );
  for (let i = 0; !left; i++) {
    const state = a.publish('c', `${i}`);
    net.run(5);
    t.equal(state.result?.fail, 0);
    t.same(state.result?.unconfirmed, []);
    if (i > 4000) throw new Error('it does not leave');
  }
  t.same(a.mesh.explain('c').patterns, []);
});
