/**
 * A dial that was overtaken: what one side says to open a session is held on the way; meanwhile n1 reaches n3 through n2, and
 * that later session is lost as well. When the old HELLO or ACCEPT arrives at last, it must open nothing: what comes behind
 * it is from before the later session.
 */
import t from 'tap';
import { Stage } from './stage.js';

const TUNING = { profile: 'local', relayAfterMs: 500, handshakeMs: 20_000, resumeMs: 20_000 } as const;

const n3 = (stage: Stage) =>
  stage
    .node(0)
    .mesh.members()
    .find(({ nodeId }) => nodeId === 'n3');
const connected = (stage: Stage) => n3(stage)?.connected === true;

/** n1 dials n3 again; the link opens, and from then on nothing moves from the one site to the other. */
function dialed(held: { readonly from: number; readonly to: number }): Stage {
  const stage = new Stage({ nodes: 3, tuning: TUNING }).ready();
  stage.sim.cluster.reset(stage.site(0), stage.site(2));
  stage.until('n1 has lost the session', () => !connected(stage));
  // A millisecond to n3 and one back, then HELLO leaves; the link is on its way already.
  return stage.run(1.5).hold(held.from, held.to).run(5);
}

function relayed(stage: Stage): void {
  stage.until('n1 reaches n3 through n2', () => n3(stage)?.relayedBy === 'n2');
  stage.run(50);
}

/** The session through n2 is lost, and n1 has no other way to n3 yet. */
function relayLost(stage: Stage): void {
  stage.sim.cluster.reset(stage.site(0), stage.site(1));
  stage.until('n1 has lost the session through n2', () => !connected(stage));
  stage.run(2);
}

t.test('a message of an overtaken session does not come after one of the later session', async (t) => {
  const stage = dialed({ from: 2, to: 0 });
  const { subscription } = stage.subscribe(0, 'news');
  stage.run(5).publish(2, 'news');
  stage.run(5);
  // n3 takes n1 for dead and forgets what waits for it; n1, which lives, is a member again at once.
  stage.sim.cluster.accuse(stage.site(2), stage.site(0));
  relayed(stage);
  stage.until('n1 is subscribed', () => subscription.ackedAt < Number.POSITIVE_INFINITY);
  t.equal(stage.published(2, 'news').success, 1);
  relayLost(stage);
  stage.release(2, 0).run(50);
  t.strictSame(stage.end(), []);
});

t.test('interest of an overtaken session is not taken for the present one', async (t) => {
  const stage = dialed({ from: 2, to: 0 });
  relayed(stage);
  stage.subscribed(2, 'news');
  relayLost(stage);
  stage.release(2, 0).until('n1 holds all interest of n3', () => n3(stage)?.synced === true);
  stage.publish(0, 'news');
  t.strictSame(stage.end(), []);
});

t.test('the HELLO of an overtaken dial does not end what waits for the session to come back', async (t) => {
  const stage = dialed({ from: 0, to: 2 });
  stage.subscribed(0, 'news');
  relayed(stage);
  t.equal(stage.published(2, 'news').success, 1);
  relayLost(stage);
  const waiting = stage.publish(2, 'news');
  stage.release(0, 2).run(2000);
  t.equal(waiting.got.length, 1, 'it arrived when the session was back');
  t.strictSame(stage.end(), []);
});

/** What arrives within a few milliseconds of each other belongs to one turn of a node. */
const LONG_TURNS = { longShare: 1, spanMs: 20, timersFirst: false };

t.test(
  'a newcomer whose second session replaces the first in the turn in which it becomes a member is not missed',
  async (t) => {
    const tuning = { ...TUNING, profile: 'wan', relayAfterMs: 700, handshakeMs: 1000 } as const;
    const stage = new Stage({ nodes: 3, turns: LONG_TURNS, tuning }).ready();
    const { cluster } = stage.sim;
    // What n3 reads when it goes on: the end of the old process, a greeting through n2, and one on a link of its own.
    stage.run(3000 - stage.now);
    cluster.stall(stage.site(2), 1300);
    cluster.crash(stage.site(0), false);
    cluster.start(stage.site(0), [stage.site(1)]);
    stage.until('n1 is ready', () => stage.node(0).mesh.phase === 'ready');
    stage.subscribed(0, 'news');
    t.same(stage.published(2, 'news'), { success: 1, fail: 0, unconfirmed: [] });
    t.strictSame(stage.end(), []);
  },
);

t.test('counts that were owed when a session ended are not taken for those of the next', async (t) => {
  const stage = new Stage({ nodes: 3, turns: LONG_TURNS, tuning: { profile: 'local' } }).ready();
  stage.subscribed(0, 'one');
  for (const client of [0, 1]) stage.subscribed(0, 'two', client);
  const first = stage.publish(1, 'one');
  stage.until('it arrived', () => first.got.length === 1);
  // In the turn in which n1 would count it, n2 takes n1 for dead and ends the session.
  stage.sim.cluster.accuse(stage.site(1), stage.site(0));
  const session = () =>
    stage
      .node(1)
      .mesh.members()
      .some(({ nodeId, connected }) => nodeId === 'n1' && connected);
  stage.until('n2 has ended the session', () => !session());
  stage.until('they meet again', session);
  const second = stage.publish(1, 'two');
  // n1 has the ACCEPT, and ends its turn before n2 goes on.
  stage.sim.cluster.stall(stage.site(1), 50);
  stage.until('it is counted', () => second.result !== null);
  t.same(second.result, { success: 2, fail: 0, unconfirmed: [] });
  t.strictSame(stage.end(), []);
});
