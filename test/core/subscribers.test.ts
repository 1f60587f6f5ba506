import t from 'tap';
import { Channels } from '../../src/core/channels.js';
import type { SubscribeOutcome } from '../../src/core/message.js';
import { Subscribers } from '../../src/core/subscribers.js';
import { VirtualClock } from './virtual-clock.js';

const limits = { subscribeTimeoutMs: 5000, maxChannels: 10, maxPatterns: 2 };

/** Subscribers of a node whose owners acknowledge while `known.is` says so. */
function subscribers() {
  const clock = new VirtualClock();
  const known = { is: true };
  const registrar = { want() {}, unwant() {}, acknowledged: () => known.is };
  const sockets = { deliver: () => ({ success: 0, fail: 0 }), joined() {}, left() {} };
  const all = new Subscribers(new Channels(), registrar, sockets, clock, { count() {} }, limits);
  const subscribe = (subscriber: { id: string }) => {
    const outcomes: SubscribeOutcome[] = [];
    all.subscribe(subscriber, 'c', false, (outcome) => outcomes.push(outcome));
    return outcomes;
  };
  return { all, clock, known, subscribe };
}

t.test('a subscribe that the mesh does not acknowledge in time leaves no subscription', (t) => {
  const { all, clock, known, subscribe } = subscribers();
  known.is = false;
  const outcomes = subscribe({ id: '1' });
  clock.advance(5000);
  t.same(outcomes, [{ ok: false, reason: 'timeout' }]);
  t.equal(all.subscriptionCount, 0);
  t.end();
});

t.test('subscribing once more, in vain, does not end the subscription that was acknowledged', (t) => {
  const { all, clock, known, subscribe } = subscribers();
  const subscriber = { id: '1' };
  t.same(subscribe(subscriber), [{ ok: true, degraded: false }]);
  known.is = false;
  const again = subscribe(subscriber);
  clock.advance(5000);
  t.same(again, [{ ok: false, reason: 'timeout' }]);
  t.same(all.channelsOf(subscriber), ['c']);
  t.end();
});
