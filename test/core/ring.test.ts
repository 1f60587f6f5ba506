import HashRing from 'hashring';
import t from 'tap';
import { hash128 } from '../../src/core/hash.js';
import { Ring } from '../../src/core/ring.js';
import { name } from './flock.js';

const shape = { replicateAllUpTo: 8, replicas: 3 };
const ids = (count: number): string[] => Array.from({ length: count }, (_, i) => name(i));
const channels = Array.from({ length: 3000 }, (_, i) => `user:${i}`);

t.test('up to replicateAllUpTo members every member owns every channel', async (t) => {
  const ring = new Ring(ids(8), shape);
  t.same(ring.owners('c'), ids(8));
  t.equal(ring.owners('c'), ring.owners('d'), 'and it is one and the same list');
  t.equal(new Ring(ids(9), shape).owners('c').length, 3);
  t.same(new Ring([], shape).owners('c'), [], 'a mesh of leaving members has no owners');
});

t.test('no more owners than members, even where everything is on the ring', async (t) => {
  t.equal(new Ring(ids(2), { replicateAllUpTo: 0, replicas: 3 }).owners('c').length, 2);
});

t.test('owners are distinct and the same for every ring of the same members', async (t) => {
  const one = new Ring(ids(50), shape);
  const other = new Ring(ids(50), shape);
  for (const channel of channels) {
    const owners = one.owners(channel);
    t.equal(new Set(owners).size, 3, channel);
    t.same(other.owners(channel), owners);
  }
});

t.test(
  'the merged ring is the one that hashring builds at once, also where its default loses virtual nodes',
  async (t) => {
    const hash = (text: string): Buffer => {
      const { a, b, c, d } = hash128(text);
      const bytes = Buffer.alloc(16);
      [a, b, c, d].forEach((word, i) => bytes.writeUInt32LE(word, 4 * i));
      return bytes;
    };
    for (const count of [9, 14, 28, 49, 98]) {
      const ring = new Ring(ids(count), shape);
      const whole = new HashRing(Object.fromEntries(ids(count).map((id) => [`/${id}`, { vnodes: 150 }])), hash);
      for (const channel of channels.slice(0, 300)) {
        const expected = whole.range(channel, 3).map((server) => server.slice(1));
        t.same(ring.owners(channel), expected, `${channel} of ${count}`);
      }
    }
  },
);

t.test('a ring made from the one before is the same as one made anew', async (t) => {
  // Rings of one process share what they are made from, so the order in which they are asked is the test.
  const views = [ids(60), ids(61), ids(61).slice(3), ids(200), ids(40), ids(60)];
  const anew = views.map((view) => channels.slice(0, 200).map((channel) => new Ring(view, shape).owners(channel)));
  const shuffledViews = [3, 0, 5, 2, 4, 1];
  for (const i of shuffledViews) {
    const ring = new Ring(views[i], shape);
    t.same(
      channels.slice(0, 200).map((channel) => ring.owners(channel)),
      anew[i],
    );
  }
});

t.test('a member that joins takes channels only for itself, and no more than its share', async (t) => {
  const before = new Ring(ids(49), shape);
  const after = new Ring(ids(50), shape);
  let moved = 0;
  for (const channel of channels) {
    const old = before.owners(channel);
    const now = after.owners(channel);
    const added = now.filter((id) => !old.includes(id));
    if (added.length > 0) {
      moved += 1;
      t.same(added, [name(49)], `${channel} moves to the new member only`);
    }
  }
  t.ok(moved < (2 * 3 * channels.length) / 50, `${moved} channels moved`);
});

t.test('channels spread evenly', async (t) => {
  const ring = new Ring(ids(20), shape);
  const counts = new Map<string, number>();
  const many = 60_000;
  for (let i = 0; i < many; i++) {
    for (const owner of ring.owners(`c${i}`)) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  const mean = (many * 3) / 20;
  for (const [id, count] of counts) t.ok(Math.abs(count / mean - 1) < 0.15, `${id} has ${count}, the mean is ${mean}`);
});

t.test('names that hashring would read as something else are names all the same', async (t) => {
  const odd = ['10.0.0.1:6788', '7', '__proto__', 'a:b:c', 'constructor', 'weight', 'x', 'y', 'z'].sort();
  const ring = new Ring(odd, shape);
  const seen = new Set(channels.flatMap((channel) => ring.owners(channel)));
  t.same([...seen].sort(), odd);
});
