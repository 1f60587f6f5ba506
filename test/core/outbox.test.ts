import t from 'tap';
import type { DataFrame, Frame } from '../../src/core/frames.js';
import { Inbox } from '../../src/core/inbox.js';
import type { PublishResult } from '../../src/core/message.js';
import { Outbox } from '../../src/core/outbox.js';
import { Pending } from '../../src/core/pending.js';
import type { Lane } from '../../src/core/ports.js';

const LIMITS = { queueFrames: 5, queueBytes: 100_000 };

/** An outbox whose link keeps what it is given; `takes` says whether a lane takes more. */
function outboxOf(epoch = 7) {
  const sent: DataFrame[] = [];
  const link = { takes: true };
  const links = {
    dial: () => 1,
    close: () => {},
    send: (_link: number, lane: Lane, frames: readonly Frame[]) => {
      if (lane === 'data') sent.push(...(frames as readonly DataFrame[]));
      return link.takes;
    },
  };
  const outbox = new Outbox('peer', epoch, LIMITS, links, () => {});
  const results: PublishResult[] = [];
  const publish = (channel: string, now = 0): boolean => {
    const pending = new Pending((result) => results.push(result));
    const taken = outbox.publish(channel, false, new Uint8Array(10), now, pending, null);
    pending.settle(0, 0);
    return taken;
  };
  const seqs = (): number[] =>
    sent.flatMap((frame) => ('seq' in frame && frame.kind !== 'delivered' ? [frame.seq] : []));
  return { outbox, sent, link, results, publish, seqs };
}

t.test('publishes of a turn leave as one batch and their counts come back to each', async (t) => {
  const { outbox, results, publish, seqs } = outboxOf();
  outbox.sessionBegins(0, 0);
  for (const channel of ['a', 'b', 'c']) t.ok(publish(channel));
  outbox.flush(1, 0);
  t.same(seqs(), [1, 2, 3]);
  t.ok(outbox.delivered(1, [2, 1, 0, 1, 0, 3], 0));
  t.same(
    results.map(({ success, fail }) => [success, fail]),
    [
      [1, 0],
      [1, 0],
      [0, 3],
    ],
  );
  t.equal(outbox.frames, 0);
  t.equal(outbox.bytes, 0);
});

t.test('counts that do not fit what was sent are refused, and none of them is applied', async (t) => {
  const { outbox, publish, results } = outboxOf();
  outbox.sessionBegins(0, 0);
  publish('a');
  outbox.flush(1, 0);
  publish('b');
  t.notOk(outbox.delivered(2, [1, 0, 0], 0), 'not the oldest');
  t.notOk(outbox.delivered(1, [2, 0, 0], 0), 'more than was sent');
  t.notOk(outbox.delivered(1, [1, 9, 0, 1, 0, 0], 0), 'more than was sent, in its second triple');
  t.notOk(outbox.delivered(1, [1, 0], 0), 'no triple');
  t.same(results, [], 'nobody has been told anything yet');
  t.ok(outbox.delivered(1, [1, 0, 0], 0));
});

t.test('over the bound a publish is refused, and the next frame says how many and of which channels', async (t) => {
  const { outbox, sent, publish } = outboxOf();
  outbox.sessionBegins(0, 0);
  for (let i = 0; i < 5; i++) t.ok(publish(`c${i}`));
  t.notOk(publish('x'));
  t.notOk(publish('y'));
  t.notOk(publish('x'));
  outbox.flush(1, 0);
  t.equal(outbox.refused, 3);
  outbox.delivered(1, [2, 1, 0], 0);
  t.ok(publish('late'));
  outbox.flush(1, 0);
  const dropped = sent.find((frame) => frame.kind === 'dropped');
  t.match(dropped, { seq: 6, count: 3, channels: ['x', 'y'] });
  t.equal(
    sent.findIndex((frame) => frame.kind === 'dropped') + 1,
    sent.findIndex((frame) => frame.kind === 'publish' && frame.channel === 'late'),
  );
});

t.test('what is not answered in time is unconfirmed, and counts that come later change nothing', async (t) => {
  const { outbox, results, publish } = outboxOf();
  outbox.sessionBegins(0, 0);
  publish('a', 0);
  publish('b', 50);
  outbox.flush(1, 50);
  outbox.expire(10);
  t.same(results, [{ success: 0, fail: 1, unconfirmed: ['peer'] }]);
  t.ok(outbox.delivered(1, [2, 4, 0], 0));
  t.same(results[1], { success: 4, fail: 0, unconfirmed: [] });
  t.equal(results.length, 2);
});

t.test('a session that comes back goes on after the last number that arrived', async (t) => {
  const { outbox, sent, results, publish, seqs } = outboxOf();
  outbox.sessionBegins(0, 0);
  for (const channel of ['a', 'b', 'c']) publish(channel);
  outbox.flush(1, 0);
  outbox.sessionLost();
  t.same(
    results.map(({ unconfirmed }) => unconfirmed),
    [['peer'], ['peer'], ['peer']],
  );
  sent.length = 0;
  outbox.sessionBegins(7, 2);
  outbox.flush(2, 0);
  t.match(sent[0], { kind: 'numbering', epoch: 7, first: 3 });
  t.same(seqs(), [3]);
});

t.test('a peer that knows another numbering is not sent what it may have got', async (t) => {
  const { outbox, sent, publish } = outboxOf();
  outbox.sessionBegins(0, 0);
  publish('a');
  outbox.flush(1, 0);
  outbox.sessionLost();
  sent.length = 0;
  outbox.sessionBegins(99, 1);
  outbox.flush(2, 0);
  t.match(sent, [{ kind: 'numbering', epoch: 7, first: 2 }]);
});

t.test('a lane that is full is left alone until it has drained', async (t) => {
  const { outbox, link, publish, seqs } = outboxOf();
  outbox.sessionBegins(0, 0);
  link.takes = false;
  publish('a');
  outbox.flush(1, 5);
  t.equal(outbox.stalledSince, 5);
  publish('b');
  outbox.flush(1, 6);
  t.same(seqs(), [1]);
  link.takes = true;
  outbox.drained('data');
  outbox.flush(1, 7);
  t.same(seqs(), [1, 2]);
  t.equal(outbox.stalledSince, null);
});

t.test('an inbox knows a resumed numbering from a hole and from a new one', async (t) => {
  const inbox = new Inbox();
  t.equal(inbox.numbering(5, 1), 'new');
  t.ok(inbox.accepts(1));
  t.ok(inbox.accepts(2));
  t.notOk(inbox.accepts(2), 'seen before');
  t.notOk(inbox.accepts(4), 'jumps');
  t.equal(inbox.numbering(5, 3), 'resumed');
  t.ok(inbox.accepts(3));
  t.equal(inbox.numbering(5, 6), 'hole');
  t.ok(inbox.accepts(6));
  t.equal(inbox.numbering(8, 1), 'new');
  t.ok(inbox.accepts(1));
});

t.test('counts of equal results gather into runs', async (t) => {
  const inbox = new Inbox();
  inbox.numbering(5, 10);
  for (const [seq, success] of [
    [10, 1],
    [11, 1],
    [12, 0],
  ]) {
    inbox.accepts(seq);
    inbox.count(success, 0);
  }
  t.same(inbox.takeCounts(), { kind: 'delivered', seq: 10, counts: [2, 1, 0, 1, 0, 0] });
  t.equal(inbox.takeCounts(), null);
});
