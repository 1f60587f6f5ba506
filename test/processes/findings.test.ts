import t from 'tap';
import { Audit, type Outcome } from './audit.js';
import { findingsOf, type Gap, type Miss } from './findings.js';

const COMPLETE = { success: 1, fail: 0, unconfirmed: [] };
const CHANNEL = 'c';

/** The books of one publisher on `n1` and one subscriber on `n2`, by a clock that counts publishes and arrivals. */
function books() {
  let now = 0;
  const audit = new Audit(() => now);
  const subscription = audit.subscribed('s', 'n2', CHANNEL);
  return {
    audit,
    subscription,
    publish(outcome: Outcome = COMPLETE): string {
      now++;
      const { text, number } = audit.publish('p', 'n1', CHANNEL);
      audit.finished('p', number, outcome);
      return text;
    },
    arrives(...texts: string[]): void {
      for (const text of texts) {
        now++;
        audit.received(subscription, text);
      }
    },
    gap(of: Partial<Gap> = {}): Gap {
      return { node: 'n2', peer: 'n1', channel: null, at: now, ...of };
    },
    records(...gaps: Gap[]): [number, Miss['record']][] {
      return findingsOf(audit, gaps).misses.map(({ number, record }) => [number, record]);
    },
  };
}

t.test('everything that was published after the acknowledgement must come', async (t) => {
  const audit = new Audit();
  audit.publish('p', 'n1', CHANNEL);
  const subscription = audit.subscribed('s', 'n2', CHANNEL);
  audit.publish('p', 'n1', 'another channel');
  for (let i = 0; i < 3; i++) {
    const { text, number } = audit.publish('p', 'n1', CHANNEL);
    audit.finished('p', number, COMPLETE);
    if (i !== 1) audit.received(subscription, text);
  }
  const { misses, duplicates, disorders } = findingsOf(audit);
  t.same(misses, [{ subscription: 's', node: 'n2', publisher: 'p', number: 4, record: null }]);
  t.same([...duplicates, ...disorders], []);
  t.equal(audit.count, 5);
});

t.test(
  'a miss is on record when the result names its node; another node, a count of failures or no result will not do',
  async (t) => {
    const { audit, publish, records } = books();
    publish({ success: 0, fail: 1, unconfirmed: ['n2'] });
    publish({ success: 0, fail: 1, unconfirmed: ['n3'] });
    publish({ success: 0, fail: 1, unconfirmed: [] });
    publish('refused');
    audit.publish('p', 'n1', CHANNEL);
    t.same(
      records(),
      [
        [1, 'unconfirmed'],
        [2, null],
        [3, null],
        [5, null],
      ],
      'a refused publish reaches nobody, and that is no miss',
    );
    t.equal(audit.incomplete().length, 5);
    t.same(findingsOf(audit).oddities, ['p:5 has no result']);
  },
);

t.test('a node that was killed takes with it what it had not sent yet, and nothing before what it sent', async (t) => {
  const { publish, arrives, gap, records } = books();
  publish('lost');
  arrives(publish('lost'));
  publish('lost');
  t.same(records(), [
    [1, null],
    [3, 'lost'],
  ]);
  t.same(records(gap({ at: 1 })), [
    [1, 'gap'],
    [3, 'lost'],
  ]);
});

t.test('a gap stands for what was missed between two messages', async (t) => {
  const { publish, arrives, gap, records } = books();
  arrives(publish());
  publish();
  publish();
  const raised = gap();
  arrives(publish());
  const recorded = [
    [2, 'gap'],
    [3, 'gap'],
  ];
  t.same(records(raised), recorded);
  t.same(records({ ...raised, channel: CHANNEL }), recorded, 'also one for this channel alone');
});

t.test('a gap of another node, about another peer or another channel stands for nothing', async (t) => {
  const { publish, gap, records } = books();
  publish();
  for (const other of [{ node: 'n3' }, { peer: 'n3' }, { channel: 'another channel' }])
    t.same(records(gap(other)), [[1, null]]);
  t.same(records(gap()), [[1, 'gap']]);
});

t.test('a gap stands for nothing that was published later', async (t) => {
  const { publish, gap, records } = books();
  publish();
  const raised = gap();
  publish();
  t.same(records(raised), [
    [1, 'gap'],
    [2, null],
  ]);
});

t.test('a gap that is raised after the next message came is too late', async (t) => {
  const { publish, arrives, gap, records } = books();
  publish();
  arrives(publish());
  publish();
  t.same(records(gap()), [
    [1, null],
    [3, 'gap'],
  ]);
});

t.test('a message that entered at another node does not make a gap late', async (t) => {
  const { audit, subscription, publish, arrives, gap, records } = books();
  publish();
  arrives(audit.publish('p', 'n3', CHANNEL).text);
  t.equal(subscription.got.size, 1);
  t.same(records(gap()), [[1, 'gap']]);
});

t.test('a subscription that ended must have everything up to what it got last', async (t) => {
  const { audit, subscription, publish, arrives, records } = books();
  const texts = [1, 2, 3, 4].map(() => publish());
  arrives(texts[0], texts[2]);
  audit.ended(subscription, false);
  t.same(records(), [[2, null]]);
});

t.test(
  'a subscription that ended must have what had its result before the last question that its node answered',
  async (t) => {
    const { audit, subscription, publish, records } = books();
    publish();
    const { number } = audit.publish('p', 'n1', CHANNEL);
    audit.lived(subscription, audit.tick);
    audit.finished('p', number, COMPLETE);
    publish();
    audit.ended(subscription, false);
    t.same(records(), [[1, null]]);
  },
);

t.test('a complete result counts exactly those that got the message', async (t) => {
  const { audit, publish, arrives } = books();
  const counts = (success: number, ...unconfirmed: string[]) => ({ success, fail: 0, unconfirmed });
  arrives(publish(counts(1)), publish(counts(0)), publish(counts(0, 'n3')), publish('lost'));
  for (const count of [counts(0), counts(1), counts(1, 'n2')]) publish(count);
  t.same(findingsOf(audit).miscounts, [
    'p:2 counted 0, came to 1',
    'p:6 counted 1, came to 0',
    'p:7 counted 1, came to 0',
  ]);
});

t.test(
  'what a subscription was counted for may be lost with its killed node, but not while it ends politely',
  async (t) => {
    for (const torn of [true, false]) {
      const { audit, subscription, publish } = books();
      publish();
      audit.ended(subscription, torn);
      publish();
      const late = 'p:2 counted 1, came to 0';
      t.same(findingsOf(audit).miscounts, torn ? [late] : ['p:1 counted 1, came to 0', late]);
    }
  },
);

t.test('a message that was never published, or on another channel, is found', async (t) => {
  const { audit, subscription, publish, arrives } = books();
  arrives(publish(), 'p:2');
  t.same(findingsOf(audit).oddities, ['s got p:2, which is not on its channel']);
  audit.received(subscription, audit.publish('q', 'n1', 'another channel').text);
  audit.finished('q', 1, COMPLETE);
  t.same(findingsOf(audit).oddities, [
    's got p:2, which is not on its channel',
    's got q:1, which is not on its channel',
  ]);
});

t.test('doubles and disorder are found', async (t) => {
  const { audit, publish, arrives } = books();
  const texts = [1, 2, 3].map(() => publish());
  arrives(texts[0], texts[2], texts[1], texts[1]);
  const { duplicates, disorders } = findingsOf(audit);
  t.same(duplicates, ['s got 2 of p twice']);
  t.same(disorders, ['s got p:2 after p:3']);
});
