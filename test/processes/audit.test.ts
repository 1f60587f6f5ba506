import t from 'tap';
import { Audit } from './audit.js';

const complete = { success: 1, fail: 0, unconfirmed: [] };

t.test('everything that was published after the acknowledgement must come', async (t) => {
  const audit = new Audit();
  audit.publish('p');
  const subscription = audit.subscribed('s', 'n1');
  for (let i = 0; i < 3; i++) {
    const { text, number } = audit.publish('p');
    audit.finished('p', number, complete);
    if (i !== 1) audit.received(subscription, text);
  }
  const { misses, duplicates, disorders } = audit.findings();
  t.same(misses, [{ subscription: 's', node: 'n1', publisher: 'p', number: 3, reported: false }]);
  t.same([...duplicates, ...disorders], []);
  t.equal(audit.count, 4);
});

t.test('a miss that the publisher was told of is marked so', async (t) => {
  const audit = new Audit();
  audit.subscribed('s', 'n1');
  audit.finished('p', audit.publish('p').number, { success: 0, fail: 1, unconfirmed: ['n1'] });
  audit.publish('p');
  audit.finished('p', audit.publish('p').number, null);
  t.same(
    audit.findings().misses.map(({ number, reported }) => [number, reported]),
    [
      [1, true],
      [2, true],
    ],
    'a refused publish reaches nobody, and that is no miss',
  );
  t.same(audit.incomplete().length, 3);
});

t.test('a subscription that ended must have everything up to what it got last', async (t) => {
  const audit = new Audit();
  const subscription = audit.subscribed('s', 'n1');
  const texts = [1, 2, 3, 4].map(() => audit.publish('p').text);
  for (const i of [0, 2]) audit.received(subscription, texts[i]);
  audit.ended(subscription);
  t.same(
    audit.findings().misses.map(({ number }) => number),
    [2],
  );
});

t.test('doubles and disorder are found', async (t) => {
  const audit = new Audit();
  const subscription = audit.subscribed('s', 'n1');
  const texts = [1, 2, 3].map(() => audit.publish('p').text);
  for (const i of [0, 2, 1, 1]) audit.received(subscription, texts[i]);
  const { duplicates, disorders } = audit.findings();
  t.same(duplicates, ['s got 2 of p twice']);
  t.same(disorders, ['s got p:2 after p:3']);
});
