/** What other nodes and back ends may do to a connection of this node. */
import t from 'tap';
import { patternName } from '../../src/core/pattern.js';
import type { ReachOutcome } from '../../src/core/reach.js';
import type { Connection } from '../../src/gateway/roles.js';
import { createLocalConnections, type LocalParts } from '../../src/node/local-connections.js';

t.test('a back end cannot subscribe a connection to more channels than its script may', (t) => {
  const joined = new Set<string>(['a', 'b']);
  const counted: string[] = [];
  const mesh: LocalParts['mesh'] = {
    subscribe(_subscriber, channel, done) {
      joined.add(channel);
      done({ ok: true, degraded: false });
    },
    unsubscribe: () => true,
    unsubscribeAll() {},
    channelsOf: () => [...joined],
  };
  const local = createLocalConnections({
    mesh,
    meter: { count: (name, _by, label) => void counted.push(`${name}/${label}`), observe() {} },
    connection: () => ({}) as Connection,
    scriptOf: () => ({ setContextValue() {}, setContext() {} }),
    maxSubscriptions: () => 3,
  });
  const outcomes: ReachOutcome[] = [];
  local.call('1', 'subscribe', ['c', 'd'], (outcome) => outcomes.push(outcome));
  local.call('1', 'subscribe', ['c'], (outcome) => outcomes.push(outcome));
  t.same(outcomes, [
    { ok: false, reason: 'refused', text: 'at most 3 channels and patterns on one connection' },
    { ok: true },
  ]);
  t.same([...joined], ['a', 'b', 'c']);
  t.same(counted, ['drops_total/too_many_subscriptions']);
  joined.delete('c');
  local.call('1', 'psubscribe', ['a.*', 'b.*'], (outcome) => t.match(outcome, { ok: false, reason: 'refused' }));
  local.call('1', 'psubscribe', ['a *'], (outcome) => t.match(outcome, { ok: false, reason: 'invalid' }));
  local.call('1', 'psubscribe', ['a.*'], (outcome) => t.same(outcome, { ok: true }));
  t.same([...joined], ['a', 'b', patternName('a.*')]);
  t.end();
});
