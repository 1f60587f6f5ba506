import t from 'tap';
import type { MemberRecord } from '../../src/core/frames.js';
import { PROFILES } from '../../src/core/profiles.js';
import { View } from '../../src/core/view.js';
import { Flock, name } from './flock.js';

/** Control messages per member and second of a mesh at rest. */
function atRest(count: number): number {
  // What all learned at the start is told once each, so that the mesh comes to rest soon; at rest there is nothing to tell.
  const flock = new Flock({ ...PROFILES.lan, retransmitMultiplier: 0.1 });
  flock.addAll(count);
  flock.clock.advance(3000);
  for (const bird of flock.birds.values()) bird.sent = 0;
  flock.clock.advance(30_000);
  let sent = 0;
  for (const bird of flock.birds.values()) sent += bird.sent;
  return sent / count / 30;
}

t.test('control messages per member at rest are the same from 10 to 500 members', async (t) => {
  const few = atRest(10);
  const many = atRest(500);
  t.ok(few > 1 && few < 4, `${few.toFixed(2)} per second among 10`);
  t.ok(Math.abs(many / few - 1) < 0.2, `${many.toFixed(2)} per second among 500`);
});

t.test('a join among 500 makes one new ring however many join in the turn', async (t) => {
  const record = (i: number): MemberRecord => ({
    nodeId: name(i),
    boot: i + 1,
    gen: 0,
    incarnation: 0,
    state: 'alive',
    role: 'full',
    address: 'x:1',
    api: '',
    version: '1',
    accuser: '',
  });
  const flock = new Flock();
  const a = flock.add('a');
  for (let i = 0; i < 500; i++) a.merge([record(i)]);
  flock.clock.endTurn();
  t.equal(flock.of('a').changes.length, 1);
  t.equal(a.view().length, 501);
  const view = new View([...a.view()].reverse(), { replicateAllUpTo: 8, replicas: 3 });
  t.equal(view.digest, a.digest(), 'the digest does not depend on the order');
  for (let i = 0; i < 100; i++) t.same(view.ring.owners(`c${i}`), a.viewNow().ring.owners(`c${i}`));
});
