import t from 'tap';
import type { MemberRecord } from '../../src/core/frames.js';
import { PROFILES } from '../../src/core/profiles.js';
import { Flock, name } from './flock.js';

const names = (members: readonly MemberRecord[]): string[] => members.map((member) => member.nodeId);

t.test('a member counts in the view as soon as news tells of it, and the view is reported once per turn', async (t) => {
  const flock = new Flock();
  const a = flock.add('a');
  const records = ['b', 'c', 'd'].map((id) => flock.add(id).self());
  for (const record of records) a.merge([record]);
  t.same(names(a.view()), ['a'], 'the view stands still within the turn');
  const before = a.digest();
  flock.clock.endTurn();
  t.same(names(a.view()), ['a', 'b', 'c', 'd']);
  t.not(a.digest(), before);
  const [change, ...more] = flock.of('a').changes;
  t.same(more, []);
  t.same(names(change.joined), ['b', 'c', 'd']);
  t.equal(change.view.digest, a.digest());
  t.equal(a.memberByBoot(records[1].boot)?.nodeId, 'c');
});

t.test('news spreads by gossip until all views have one digest', async (t) => {
  const flock = new Flock();
  for (let i = 0; i < 12; i++) flock.add(name(i));
  for (let i = 1; i < 12; i++) flock.meet(name(0), name(i));
  flock.clock.advance(3000);
  const digests = new Set([...flock.birds.values()].map(({ membership }) => membership.digest()));
  t.equal(digests.size, 1);
  t.equal(flock.of(name(7)).membership.view().length, 12);
});

t.test('suspicion is not in the digest, generation, role and ring are', async (t) => {
  const flock = new Flock();
  const [a, b] = flock.addAll(3);
  const digest = a.digest();
  a.merge([{ ...b.self(), state: 'suspect', accuser: name(2) }]);
  flock.clock.endTurn();
  t.equal(a.digest(), digest);
  t.equal(a.member(name(1))?.state, 'suspect');
  a.merge([{ ...b.self(), incarnation: 1, role: 'leaving' }]);
  flock.clock.endTurn();
  t.not(a.digest(), digest);
  t.equal(a.view().length, 3, 'a leaving member stays in the view');
  t.notOk(a.viewNow().ring.owners('c').includes(name(1)), 'but owns nothing');
});

t.test('a suspected member refutes with a higher incarnation', async (t) => {
  const flock = new Flock();
  const [a, b, c] = flock.addAll(3);
  a.merge([{ ...b.self(), state: 'suspect', accuser: name(2) }]);
  flock.clock.advance(3000);
  t.equal(b.self().incarnation, 1);
  for (const membership of [a, b, c]) t.equal(membership.member(name(1))?.state, 'alive');
  t.same(
    flock.of(name(0)).changes.flatMap((change) => change.gone),
    [],
  );
});

t.test('a member declared dead comes back only under the next generation', async (t) => {
  const flock = new Flock();
  const [a, b] = flock.addAll(3);
  const identity = b.self();
  a.merge([{ ...identity, state: 'dead', accuser: name(2) }]);
  flock.clock.endTurn();
  t.same(names(a.view()), [name(0), name(2)]);
  t.ok(a.isTombstoned(identity));
  a.merge([{ ...identity, incarnation: 7 }]);
  flock.clock.endTurn();
  t.same(names(a.view()), [name(0), name(2)], 'an incarnation does not raise the dead');

  b.accused(identity);
  t.equal(b.self().gen, 1);
  b.accused(identity);
  t.equal(b.self().gen, 1, 'a second accusation of the same identity is old news');
  t.notOk(a.isTombstoned(b.self()));
  a.merge([b.self()]);
  flock.clock.endTurn();
  t.same(names(a.view()), [name(0), name(1), name(2)]);
  t.ok(a.isTombstoned(identity), 'the old identity stays out');
  t.equal(a.candidates().length, 0);
});

t.test('a node that hears of its own death lives on under the next generation', async (t) => {
  const flock = new Flock();
  const [a, b, c] = flock.addAll(4);
  c.merge([{ ...a.self(), state: 'dead', accuser: name(3) }]);
  flock.clock.advance(5000);
  t.equal(a.self().gen, 1);
  t.equal(new Set([a, b, c].map((membership) => membership.digest())).size, 1);
  const replaced = flock.of(name(1)).changes.flatMap((change) => change.gone.map(({ how }) => how));
  t.ok(replaced.includes('dead') || replaced.includes('replaced'), 'its old identity went first');
});

t.test('a restarted process replaces the one of its name, whichever boot number it drew', async (t) => {
  for (const [old, fresh] of [
    [5, 9],
    [9, 5],
  ]) {
    const flock = new Flock();
    const a = flock.add('a', 1);
    flock.add('b', old);
    flock.add('c', 2);
    flock.meet('a', 'b');
    flock.meet('a', 'c');
    flock.clock.advance(1000);
    flock.kill('b', false);
    const b = flock.add('b', fresh);
    flock.meet('a', 'b');
    flock.clock.advance(3000);
    t.equal(a.member('b')?.boot, fresh, `${old}, then ${fresh}`);
    t.equal(a.member('b')?.state, 'alive');
    t.equal(a.memberByBoot(old), undefined);
    t.same(
      flock.of('c').changes.flatMap((change) => change.gone.map(({ how }) => how)),
      ['replaced'],
    );
    t.equal(new Set([a, b, flock.of('c').membership].map((m) => m.digest())).size, 1);
  }
});

t.test('a killed process whose host refuses connections is gone everywhere in under a second', async (t) => {
  for (const count of [2, 3, 10]) {
    const flock = new Flock();
    flock.addAll(count);
    flock.clock.advance(5000);
    flock.kill(name(1), true);
    flock.clock.advance(950);
    for (const [id, { membership }] of flock.birds) {
      t.equal(membership.view().length, count - 1, `${id} of ${count}`);
    }
  }
});

t.test('one path that refuses does not kill a member that others reach', async (t) => {
  const flock = new Flock();
  const [a] = flock.addAll(5);
  flock.noSession.add(`${name(0)}>${name(1)}`);
  flock.noSession.add(`${name(1)}>${name(0)}`);
  for (let i = 0; i < 60; i++) {
    a.linkLost(name(1), 'refused');
    flock.clock.advance(1000);
  }
  for (const { changes } of flock.birds.values())
    t.same(
      changes.flatMap((change) => change.gone),
      [],
    );
});

for (const [profile, count, limitMs] of [
  ['lan', 10, 10_000],
  ['local', 10, 3000],
  ['local', 3, 3000],
  ['lan', 2, 10_000],
] as const) {
  t.test(`a silent host among ${count} is gone within ${limitMs} ms in profile ${profile}`, async (t) => {
    for (let seed = 1; seed <= 30; seed++) {
      const flock = new Flock(PROFILES[profile], seed);
      flock.addAll(count);
      flock.clock.advance(20_000 + 37 * seed);
      flock.of(name(1)).silent = true;
      flock.clock.advance(limitMs);
      for (const [id, { membership }] of flock.birds) {
        if (id !== name(1)) t.notOk(names(membership.view()).includes(name(1)), `${id}, seed ${seed}`);
      }
    }
  });
}

t.test('a quiet mesh declares nobody dead, and loses no member to a slow network', async (t) => {
  const flock = new Flock();
  flock.latencyMs = 100;
  flock.addAll(10);
  flock.clock.advance(300_000);
  for (const { changes } of flock.birds.values())
    t.same(
      changes.flatMap((change) => change.gone),
      [],
    );
});

t.test('two members that cannot reach each other stay members while a third reaches both', async (t) => {
  const flock = new Flock();
  flock.addAll(4);
  flock.noSession.add(`${name(0)}>${name(1)}`);
  flock.noSession.add(`${name(1)}>${name(0)}`);
  flock.clock.advance(120_000);
  for (const { changes } of flock.birds.values())
    t.same(
      changes.flatMap((change) => change.gone),
      [],
    );
});

t.test('a member that hears but is not heard is suspected, and dies', async (t) => {
  const flock = new Flock();
  flock.addAll(4);
  for (let i = 1; i < 4; i++) flock.cut.add(`${name(0)}>${name(i)}`);
  flock.clock.advance(15_000);
  t.same(names(flock.of(name(2)).membership.view()), [name(1), name(2), name(3)]);
});

t.test('a process that stood still blames nobody when it goes on', async (t) => {
  const flock = new Flock();
  const [a] = flock.addAll(3);
  a.merge([{ ...flock.of(name(1)).membership.self(), state: 'suspect', accuser: name(2) }]);
  flock.clock.advance(10);
  flock.clock.stall(60_000);
  flock.clock.advance(2000);
  t.same(
    flock.of(name(0)).changes.flatMap((change) => change.gone),
    [],
  );
});

t.test('a graceful leave: leaving, then left, and nobody holds it for dead', async (t) => {
  const flock = new Flock();
  const [a, b] = flock.addAll(5);
  b.leave();
  flock.clock.advance(2000);
  t.equal(a.member(name(1))?.role, 'leaving');
  t.ok(names(a.view()).includes(name(1)));
  b.left();
  flock.clock.advance(10);
  for (const [id, { membership, changes }] of flock.birds) {
    if (id === name(1)) continue;
    t.notOk(names(membership.view()).includes(name(1)));
    t.same(
      changes.at(-1)?.gone.map(({ how }) => how),
      ['left'],
    );
  }
  t.same(a.candidates(), [], 'who left is not dialed again');
});

t.test(
  'a member that comes back from the dead is told apart, and not blamed for a probe of what it was before',
  async (t) => {
    for (let ms = 50; ms < 3000; ms += 50) {
      const flock = new Flock(PROFILES.lan, ms);
      const [a, b] = flock.addAll(2);
      flock.of(name(1)).silent = true;
      flock.clock.advance(ms);
      flock.of(name(1)).silent = false;
      a.merge([{ ...b.self(), state: 'dead', accuser: name(0) }]);
      flock.clock.endTurn();
      b.accused();
      a.merge([b.self()]);
      flock.clock.advance(500);
      t.ok(flock.of(name(0)).changes.at(-1)?.returned.has(name(1)));
      t.equal(a.member(name(1))?.state, 'alive', `after ${ms} ms`);
    }
  },
);

t.test('candidates are dead members and seeds that no live member has', async (t) => {
  const flock = new Flock();
  const [a, b] = flock.addAll(3);
  a.merge([{ ...b.self(), state: 'dead', accuser: name(2) }]);
  t.same(a.candidates(['n-000:6788', 'n-002:6788', 'seed:1', 'n-001:6788']), ['seed:1', 'n-001:6788']);
});

t.test('a healed partition: each side learns what was said of it, and all meet under one digest', async (t) => {
  const flock = new Flock(PROFILES.local);
  flock.addAll(6);
  const left = [0, 1, 2].map(name);
  const right = [3, 4, 5].map(name);
  for (const a of left) for (const b of right) for (const pair of [`${a}>${b}`, `${b}>${a}`]) flock.noSession.add(pair);
  flock.clock.advance(10_000);
  t.same(names(flock.of(left[0]).membership.view()), left);
  t.same(names(flock.of(right[0]).membership.view()), right);
  t.same(
    flock.of(left[0]).membership.candidates().sort(),
    right.map((id) => `${id}:6788`),
  );
  flock.noSession.clear();
  flock.meet(left[0], right[0]);
  flock.clock.advance(10_000);
  const digests = new Set([...flock.birds.values()].map(({ membership }) => membership.digest()));
  t.equal(digests.size, 1);
  t.equal(flock.of(left[1]).membership.view().length, 6);
});

t.test('records since a count are those that changed, and all of them for a stranger', async (t) => {
  const flock = new Flock();
  const [a, b] = flock.addAll(4);
  const count = a.changeCount();
  t.same(a.recordsSince(count), []);
  t.equal(a.recordsSince(0).length, 4);
  a.merge([{ ...b.self(), state: 'dead', accuser: name(2) }]);
  t.same(names(a.recordsSince(count)), [name(1)]);
});

t.test('an end that came by hearsay keeps the identity out but is not passed on', async (t) => {
  const flock = new Flock();
  const [a, b] = flock.addAll(2);
  const ghost: MemberRecord = { ...b.self(), nodeId: 'ghost', boot: 99, state: 'dead' };
  a.merge([ghost]);
  t.ok(a.isTombstoned(ghost));
  t.notOk(names(a.records()).includes('ghost'));
});

t.test('tombstones are bounded', async (t) => {
  const flock = new Flock({ ...PROFILES.lan, tombstones: 10 });
  const a = flock.add('a');
  for (let i = 0; i < 50; i++) {
    const record: MemberRecord = { ...a.self(), nodeId: name(i), boot: i + 1 };
    a.merge([record]);
    a.merge([{ ...record, state: 'dead', accuser: 'x' }]);
  }
  t.equal(a.tombstoneCount(), 10);
  t.notOk(a.member(name(39)));
  t.ok(a.member(name(40)));
});
