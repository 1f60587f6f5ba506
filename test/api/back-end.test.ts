import t from 'tap';
import { BackEnd } from '../../src/api/back-end.js';
import type { SubscribeOutcome } from '../../src/core/message.js';
import { patternName } from '../../src/core/pattern.js';
import { CHANNELS, PATTERNS, type Subscribable } from '../../src/core/subscribable.js';
import type { MeshError } from '../../src/errors.js';
import { FakeBackplane } from './fake-backplane.js';

const TIMEOUT: SubscribeOutcome = { ok: false, reason: 'timeout' };
const OK: SubscribeOutcome = { ok: true, degraded: false };

/** A back end whose subscribes wait until the test answers them, like those of a mesh. */
function backEnd() {
  const mesh = new FakeBackplane();
  const waiting = new Map<string, (outcome: SubscribeOutcome) => void>();
  mesh.subscribe = (subscriber, channel, done) => {
    mesh.subscribers.set(channel, new Set([subscriber]));
    waiting.set(channel, done);
  };
  const one = new BackEnd(mesh, () => true);
  const callFor = (what: Subscribable, ...texts: string[]) => {
    const state: { error: MeshError | null | undefined } = { error: undefined };
    one.subscribe(what, texts, (error) => {
      state.error = error;
    });
    return state;
  };
  const call = (...channels: string[]) => callFor(CHANNELS, ...channels);
  const answer = (outcome: SubscribeOutcome, ...channels: string[]) => {
    for (const channel of channels) waiting.get(channel)!(outcome);
  };
  const subscribed = () => [...mesh.subscribers].filter(([, set]) => set.size > 0).map(([channel]) => channel);
  return { mesh, one, call, callFor, answer, subscribed };
}

t.test('a call of which one channel fails leaves nothing behind, neither what was subscribed nor what waits', (t) => {
  const { call, answer, subscribed } = backEnd();
  const failing = call('known', 'bad', 'waits');
  answer(OK, 'known');
  answer(TIMEOUT, 'bad');
  t.match(failing.error, { kind: 'not_ready', message: /"bad": timeout/ });
  t.same(subscribed(), []);
  t.end();
});

t.test('a failure at once stops the call, and nothing is asked of the mesh for the rest', (t) => {
  const { mesh, one, subscribed } = backEnd();
  const asked: string[] = [];
  mesh.subscribe = (subscriber, channel, done) => {
    asked.push(channel);
    if (channel === 'full') return done({ ok: false, reason: 'limit' });
    mesh.subscribers.set(channel, new Set([subscriber]));
    done(OK);
  };
  one.subscribe(CHANNELS, ['a', 'full', 'b'], (error) => t.match(error, { kind: 'overloaded' }));
  t.same(asked, ['a', 'full']);
  t.same(subscribed(), []);
  t.end();
});

t.test('a failed call takes nothing from another call of the same connection, whether that is done or waits', (t) => {
  const { call, answer, subscribed } = backEnd();
  const before = call('done');
  answer(OK, 'done');
  t.equal(before.error, null);
  const failing = call('bad', 'done', 'shared');
  const meanwhile = call('shared');
  answer(TIMEOUT, 'bad');
  t.match(failing.error, { kind: 'not_ready' });
  t.same(subscribed().sort(), ['done', 'shared']);
  answer(OK, 'shared');
  t.equal(meanwhile.error, null);
  t.end();
});

t.test('a call that fails after everything was unsubscribed does not touch what was subscribed since', (t) => {
  const { one, call, answer, subscribed } = backEnd();
  const old = call('c', 'bad');
  one.unsubscribeAll();
  const since = call('c');
  answer(TIMEOUT, 'bad');
  t.match(old.error, { kind: 'not_ready' });
  t.same(subscribed(), ['c']);
  answer(OK, 'c');
  t.equal(since.error, null);
  t.end();
});

t.test('a failed call gives its places back', (t) => {
  const { call, answer } = backEnd();
  const names = (prefix: string) => Array.from({ length: 1000 }, (_, i) => `${prefix}-${i}`);
  for (let i = 0; i < 10; i++) {
    const failing = call(...names('failing'));
    answer(TIMEOUT, 'failing-999');
    t.match(failing.error, { kind: 'not_ready' });
  }
  for (let i = 0; i < 10; i++) t.equal(call(...names(`${i}`)).error, undefined, 'waits, so it is not refused');
  t.match(call('one-more').error, { kind: 'overloaded' });
  t.end();
});

t.test('channels and patterns share the bound, and each kind ends without the other', (t) => {
  const { one, callFor, answer, subscribed } = backEnd();
  const many = (prefix: string) => Array.from({ length: 1000 }, (_, i) => `${prefix}-${i}`);
  for (let i = 0; i < 9; i++) callFor(CHANNELS, ...many(`${i}`));
  callFor(PATTERNS, ...many('*'));
  for (const what of [CHANNELS, PATTERNS]) t.match(callFor(what, 'one-more').error, { kind: 'overloaded' });
  t.equal(one.unsubscribe(CHANNELS, undefined), null);
  t.equal(subscribed().length, 1000);
  const both = [callFor(CHANNELS, 'room.*'), callFor(PATTERNS, 'room.*')];
  t.equal(one.unsubscribe(PATTERNS, null), null);
  t.same(subscribed(), ['room.*'], 'the channel of that name');
  answer(OK, 'room.*');
  t.same(
    both.map(({ error }) => error),
    [null, undefined],
  );
  one.unsubscribeAll();
  t.same(subscribed(), []);
  t.end();
});

t.test('single subscriptions end, whichever calls named them; what is no channel ends nothing', (t) => {
  const { one, call, callFor, answer, subscribed } = backEnd();
  call('a', 'b');
  call('b', 'c');
  callFor(PATTERNS, 'b');
  answer(OK, 'a', 'b', 'c');
  t.equal(one.unsubscribe(CHANNELS, ['b', 'unknown']), null);
  t.same(subscribed(), ['a', 'c', patternName('b')]);
  for (const texts of ['a', [], ['a', 7], [['a']], {}, ['a', 'b c']]) {
    t.match(one.unsubscribe(CHANNELS, texts), { kind: 'invalid_argument', message: /channel/ });
  }
  t.same(subscribed(), ['a', 'c', patternName('b')]);
  const again = call('b');
  answer(OK, 'b');
  t.equal(again.error, null);
  t.same(subscribed().length, 4);
  t.end();
});

t.test('what is no pattern is refused before anything is asked of the mesh', (t) => {
  const { one, subscribed } = backEnd();
  for (const texts of [undefined, 'room.*', [], [1], [{ toString: 1 }], ['ok.*', 'a b*']]) {
    one.subscribe(PATTERNS, texts, (error) => t.match(error, { kind: 'invalid_argument', message: /pattern/ }));
  }
  t.same(subscribed(), []);
  t.end();
});
