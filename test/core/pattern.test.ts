import fc from 'fast-check';
import t from 'tap';
import { Channels } from '../../src/core/channels.js';
import { isPatternName, Pattern, patternName, patternProblem } from '../../src/core/pattern.js';

t.test('a star stands for any run of characters, also for none, and nothing else is special', async (t) => {
  const matches = (pattern: string, ...names: string[]): boolean[] =>
    names.map((name) => new Pattern(pattern).matches(name));
  t.same(matches('room.*', 'room.1', 'room.', 'room.1.chat', 'room', 'Room.1', 'xroom.1'), [
    ...[true, true, true],
    ...[false, false, false],
  ]);
  t.same(matches('*', 'a', 'room.1', '*'), [true, true, true]);
  t.same(matches('*.chat', 'room.chat', '.chat', 'room.chat.1'), [true, true, false]);
  t.same(matches('a*b*c', 'abc', 'a-b-c', 'a-c-b-c', 'ac', 'acb'), [true, true, true, false, false]);
  t.same(matches('ab*ba', 'abba', 'aba', 'ab-ba'), [true, false, true], 'the two ends do not share characters');
  t.same(matches('*a*aa', 'aa', 'aaa', 'abaa'), [false, true, true]);
  t.same(matches('news', 'news', 'news.1', ''), [true, false, false], 'without a star it is one name');
  t.same(matches('a?[b-c]\\+.', 'a?[b-c]\\+.', 'axb+.'), [true, false]);
  t.same(matches('é*😀', 'éx😀', 'é😀', 'e😀'), [true, true, false]);
});

const letters = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 12 });

t.test('it matches what the regular expression of the same meaning matches', async () => {
  fc.assert(
    fc.property(letters, letters, (pattern, name) => {
      const escaped = pattern.split('*').map((piece) => piece.replaceAll('.', '\\.'));
      return new Pattern(pattern).matches(name) === new RegExp(`^${escaped.join('.*')}$`).test(name);
    }),
    { numRuns: 20_000 },
  );
});

t.test('of many patterns, those are found that match, also while others come and go', async () => {
  const change = fc.record({ pattern: letters, on: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 40 }), fc.array(letters, { minLength: 1 }), (changes, names) => {
      const channels = new Channels();
      const kept = new Set<string>();
      const right = (name: string): boolean => {
        const found = channels.matching(name).map(({ pattern }) => pattern!.text);
        const expected = [...kept].filter((pattern) => new Pattern(pattern).matches(name));
        return found.sort().join(' ') === expected.sort().join(' ');
      };
      for (const { pattern, on } of changes) {
        // The same question before and after a change.
        if (!right(names[0])) return false;
        const record = channels.get(patternName(pattern));
        if (on) kept.add(pattern);
        else {
          kept.delete(pattern);
          channels.release(record);
        }
        if (!right(names[0])) return false;
      }
      return names.every(right);
    }),
  );
});

t.test('a pattern that would take a backtracking matcher forever is no work', async (t) => {
  const name = 'a'.repeat(255);
  const pattern = new Pattern(`${'*a'.repeat(126)}*b`);
  for (let i = 0; i < 10_000; i++) if (pattern.matches(name)) t.fail('there is no b in it');
  t.ok(new Pattern('*a'.repeat(127)).matches(name));
});

t.test('its name is none that a channel can have, and what it is made of is what channels are made of', async (t) => {
  t.ok(isPatternName(patternName('room.*')));
  t.notOk(isPatternName('room.*'), 'a channel may be called so');
  t.equal(patternProblem('room.*'), null);
  t.equal(patternProblem('room.1'), null);
  t.match(patternProblem(''), /^a pattern must not be empty/);
  t.match(patternProblem('a b'), /^a pattern must not contain white space/);
  t.match(patternProblem('*'.repeat(256)), /^a pattern may have at most 255 bytes/);
});
