import t from 'tap';
import type { MemberRecord } from '../../src/core/frames.js';
import { GossipQueue, retransmits } from '../../src/core/gossip.js';
import { LocalHealth } from '../../src/core/health.js';
import { PROFILES } from '../../src/core/profiles.js';
import { sample, shuffled } from '../../src/core/sample.js';
import { Suspicion } from '../../src/core/suspicion.js';
import { Tombstones } from '../../src/core/tombstones.js';
import { name, seeded } from './flock.js';

const record = (nodeId: string, incarnation = 0): MemberRecord => ({
  nodeId,
  boot: 1,
  gen: 0,
  incarnation,
  state: 'alive',
  role: 'full',
  address: `${nodeId}:6788`,
  api: '',
  version: '1.0.0',
  accuser: '',
});

t.test('suspicion is long alone, shortens with each independent accuser, and has a floor', async (t) => {
  const suspicion = new Suspicion(PROFILES.lan, 10, 'a', 1000);
  t.equal(suspicion.deadline(), 1000 + 8000);
  t.notOk(suspicion.confirm('a'), 'the first accuser cannot confirm itself');
  t.ok(suspicion.confirm('b'));
  const once = suspicion.deadline();
  t.ok(once < 9000 && once > 5000);
  t.notOk(suspicion.confirm('b'));
  t.ok(suspicion.confirm('c'));
  t.equal(suspicion.deadline(), 1000 + 4000);
  t.notOk(suspicion.confirm('d'), 'further ones are not worth telling');
});

t.test('two members have nobody to confirm, so the suspicion is short from the start', async (t) => {
  t.equal(new Suspicion(PROFILES.lan, 2, 'a', 0).deadline(), 4000);
});

t.test('suspicion grows with the logarithm of the mesh', async (t) => {
  t.equal(new Suspicion(PROFILES.lan, 100, 'a', 0).deadline(), 2 * new Suspicion(PROFILES.lan, 10, 'a', 0).deadline());
});

t.test('a refused connection shortens suspicion until somebody reaches the suspect', async (t) => {
  const suspicion = new Suspicion(PROFILES.lan, 10, 'a', 0);
  suspicion.refused(500);
  t.equal(suspicion.deadline(), 500);
  suspicion.reached();
  t.equal(suspicion.deadline(), 8000);
});

t.test('local health stretches with what goes wrong here, and recovers with answers', async (t) => {
  const health = new LocalHealth(250);
  t.equal(health.stretch, 1);
  health.unanswered(3, 3);
  t.equal(health.stretch, 1, 'all helpers said no: it is the target');
  health.unanswered(3, 1);
  t.equal(health.stretch, 3, 'two helpers kept silent: it is me');
  health.loopDelay(249);
  t.equal(health.stretch, 3);
  health.loopDelay(600);
  t.equal(health.stretch, 5);
  for (let i = 0; i < 50; i++) health.unanswered(0, 0);
  t.equal(health.stretch, 9, 'bounded');
  for (let i = 0; i < 50; i++) health.answered();
  t.equal(health.stretch, 1);
});

t.test('gossip sends what was sent least often first, and forgets after its number of times', async (t) => {
  const queue = new GossipQueue();
  for (const id of ['a', 'b', 'c']) queue.add(record(id));
  const room = 2 * 70;
  const seen = [queue.take(room, 2), queue.take(room, 2), queue.take(room, 2)].map((taken) =>
    taken.map(({ nodeId }) => nodeId),
  );
  t.same(seen.flat().sort(), ['a', 'a', 'b', 'b', 'c', 'c']);
  t.equal(queue.size, 0);
  t.same(queue.take(room, 2), []);
});

t.test('gossip keeps to its bytes, and one news per name', async (t) => {
  const queue = new GossipQueue();
  for (let i = 0; i < 500; i++) queue.add(record(name(i)));
  queue.add(record(name(0), 3));
  t.equal(queue.size, 500);
  const taken = queue.take(1400, 4);
  t.ok(taken.length > 10 && taken.length < 30, `${taken.length} records`);
  t.equal(taken[0].incarnation, 3, 'the newest first');
  t.equal(queue.take(1, 4).length, 1, 'one record always fits');
});

t.test('news is sent a logarithmic number of times', async (t) => {
  t.same(
    [2, 9, 99, 999].map((members) => retransmits(4, members)),
    [2, 4, 8, 12],
  );
});

t.test('tombstones end by age too', async (t) => {
  const tombstones = new Tombstones(1000, 10);
  tombstones.add(record('a'), 0, true);
  tombstones.add(record('b'), 900, false);
  tombstones.add(record('c'), 1500, true);
  t.equal(tombstones.get('a'), undefined);
  t.same(
    tombstones.newest(9).map(({ nodeId }) => nodeId),
    ['c'],
    'b was hearsay',
  );
});

t.test('samples are distinct, within the list, and leave it alone', async (t) => {
  const random = seeded(7);
  const items = ['a', 'b', 'c', 'd'];
  for (let i = 0; i < 100; i++) t.equal(new Set(sample(items, 3, random)).size, 3);
  t.same(shuffled(items, random).sort(), items);
  t.same(sample(items, 9, random).sort(), items);
  t.same(items, ['a', 'b', 'c', 'd']);
});
