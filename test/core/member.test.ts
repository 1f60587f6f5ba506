import fc from 'fast-check';
import t from 'tap';
import type { MemberRecord } from '../../src/core/frames.js';
import { isLive, precedence } from '../../src/core/member.js';

const record: fc.Arbitrary<MemberRecord> = fc.record({
  nodeId: fc.constant('a'),
  boot: fc.integer({ min: 1, max: 3 }),
  gen: fc.integer({ min: 0, max: 2 }),
  incarnation: fc.integer({ min: 0, max: 2 }),
  state: fc.constantFrom('alive', 'suspect', 'dead', 'left'),
  role: fc.constantFrom('full', 'leaving'),
  address: fc.constant('a:1'),
  api: fc.constant(''),
  version: fc.constant('1'),
  accuser: fc.constant(''),
});
const base: MemberRecord = {
  nodeId: 'a',
  boot: 1,
  gen: 0,
  incarnation: 0,
  state: 'alive',
  role: 'full',
  address: 'a:1',
  api: '',
  version: '1',
  accuser: '',
};

t.test('precedence is a total order: antisymmetric and transitive', async (t) => {
  fc.assert(
    fc.property(record, record, record, (a, b, c) => {
      t.equal(Math.sign(precedence(a, b)) + Math.sign(precedence(b, a)), 0);
      if (precedence(a, b) >= 0 && precedence(b, c) >= 0) t.ok(precedence(a, c) >= 0);
    }),
    { numRuns: 2000 },
  );
});

t.test('any order of the same news ends with an equal record', async (t) => {
  const last = (records: readonly MemberRecord[]): MemberRecord =>
    records.reduce((known, next) => (precedence(next, known) > 0 ? next : known));
  fc.assert(
    fc.property(
      fc
        .array(record, { minLength: 1, maxLength: 8 })
        .chain((records) =>
          fc.tuple(fc.constant(records), fc.shuffledSubarray(records, { minLength: records.length })),
        ),
      ([records, shuffled]) => t.equal(precedence(last(records), last(shuffled)), 0),
    ),
  );
});

t.test('what a living identity says of itself overrides any older living record', async (t) => {
  t.ok(precedence({ ...base, incarnation: 1 }, { ...base, state: 'suspect' }) > 0, 'it refutes suspicion');
  t.ok(precedence({ ...base, incarnation: 1, role: 'leaving' }, base) > 0, 'it leaves');
  t.ok(precedence({ ...base, state: 'suspect' }, base) > 0, 'the same incarnation can be suspected');
});

t.test('a death is final for one boot and gen, whatever the incarnation', async (t) => {
  fc.assert(
    fc.property(record, record, (a, b) => {
      if (a.boot !== b.boot || a.gen !== b.gen || isLive(a) || !isLive(b)) return;
      t.ok(precedence(a, b) > 0);
    }),
    { numRuns: 2000 },
  );
  t.ok(precedence({ ...base, gen: 1 }, { ...base, state: 'dead', incarnation: 9 }) > 0, 'the next gen lives again');
  t.ok(precedence({ ...base, state: 'left' }, { ...base, state: 'dead' }) > 0, 'who said goodbye did not die');
});

t.test('of two processes with one name the choice is the same whoever looks', async (t) => {
  t.ok(precedence({ ...base, boot: 2 }, { ...base, boot: 1, state: 'dead' }) > 0);
  t.ok(precedence({ ...base, boot: 2 }, { ...base, boot: 1, gen: 1 }) < 0, 'the generation decides first');
});
