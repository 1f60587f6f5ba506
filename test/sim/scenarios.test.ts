/** Stories with a name: a mesh, one trouble, and what must come of it. Each ends like a seed: whole again, nothing lost in silence. */
import t from 'tap';
import type { Load } from '../../src/sim/swarm.js';
import { quietSwarm } from '../../src/sim/swarm.js';
import { Stage } from './stage.js';

/** Look-ups and leases with few nodes: one owner per channel. */
const ONE_OWNER = { profile: 'local', replicateAllUpTo: 0, replicas: 1, lingerMs: 200, healMs: 1000 } as const;
const BUSY: Load = { ...quietSwarm().load, channels: 6, churnMs: 150, publishMs: 40, hot: 2, hotMs: 25 };

/** Restarts every node, one after the other, each after the one before is ready again. */
function rollAll(stage: Stage): void {
  const { cluster, workload } = stage.sim;
  for (const site of cluster.sites) {
    const before = site.node;
    let gone = false;
    cluster.leave(
      site,
      (node) => workload.drain(node),
      () => {
        gone = true;
      },
    );
    stage.until(`${site.nodeId} has left`, () => gone);
    stage.run(300);
    cluster.start(site, cluster.sites.filter((other) => other !== site).slice(0, 5));
    stage.until(`${site.nodeId} is back`, () => site.node !== before && site.node!.mesh.phase === 'ready');
  }
}

for (const nodes of [5, 20]) {
  t.test(
    `${nodes} nodes under load restart one after the other: not one message is missed, no result is incomplete`,
    async (t) => {
      for (const tuning of [{}, ONE_OWNER]) {
        const slower = Math.max(1, nodes / 6);
        const load = { ...BUSY, churnMs: BUSY.churnMs * slower, publishMs: BUSY.publishMs * slower };
        const stage = new Stage({
          nodes,
          load,
          lossless: true,
          tuning: { profile: 'local', lingerMs: 200, ...tuning },
        });
        stage.until('all are ready', () => stage.sim.ledger.readyAt.size === nodes);
        stage.run(1000);
        rollAll(stage);
        stage.run(1000);
        t.strictSame(stage.end(), []);
        const { publications } = stage.sim.ledger;
        const owed = publications.filter(
          ({ expected, result }) => expected.length > 0 && result!.unconfirmed[0] !== 'refused',
        );
        t.ok(owed.length > 100, `${owed.length} publishes had subscribers`);
        t.ok(
          owed.every(({ expected, got, doneAt }) => expected.every((one) => got.includes(one) || one.endedAt < doneAt)),
        );
      }
    },
  );
}

t.test(
  'a partition splits five nodes two to three: each side goes on alone, and after its heal both know what they missed',
  async (t) => {
    const stage = new Stage({ nodes: 5, tuning: { profile: 'local', healMs: 1000, lingerMs: 200 } }).ready();
    for (const node of [0, 4]) stage.subscribed(node, 'news');
    const { cluster, ledger } = stage.sim;
    for (const a of [0, 1]) {
      for (const b of [2, 3, 4]) {
        cluster.hold(stage.site(a), stage.site(b));
        cluster.hold(stage.site(b), stage.site(a));
      }
    }
    stage.until('both sides have let go of the other', () =>
      cluster.nodes.every(({ mesh }) => mesh.members().length === (mesh.nodeId < 'n3' ? 1 : 2)),
    );
    const left = stage.published(1, 'news');
    const right = stage.published(3, 'news');
    t.same([left.success, right.success], [1, 1], 'each side delivers to its own');
    stage.subscribed(2, 'news');
    t.strictSame(stage.end(), []);
    t.ok(
      ledger.gaps.some(({ node, peer }) => node.nodeId === 'n5' && peer === 'n2'),
      'the subscriber on one side was told that it may have missed messages of the other',
    );
    t.equal(stage.published(1, 'news').success, 3);
  },
);

t.test(
  'twenty nodes join a mesh of two in the same moment, under load: nobody who was acknowledged is missed',
  async (t) => {
    const stage = new Stage({
      nodes: 2,
      lossless: true,
      load: { ...BUSY, churnMs: 100, publishMs: 60 },
      tuning: { profile: 'local', replicateAllUpTo: 8, lingerMs: 200 },
    });
    const { cluster, ledger } = stage.sim;
    stage.until('two are ready', () => ledger.readyAt.size === 2);
    stage.run(1000);
    const first = [...cluster.sites];
    for (let left = 20; left > 0; left--) cluster.start(cluster.addSite(), first);
    stage.until('all are ready', () => ledger.readyAt.size === 22);
    stage.run(2000);
    const { publications } = ledger;
    t.ok(publications.filter(({ expected }) => expected.length > 1).length > 300, `${publications.length} publishes`);
    stage.run(1000);
    t.strictSame(stage.end(), []);
  },
);

t.test(
  'a lease holder dies while a subscribe waits for it: the subscribe is acknowledged when the lease has ended',
  async (t) => {
    const leaseMs = 1500;
    const stage = new Stage({
      nodes: 4,
      tuning: { ...ONE_OWNER, leaseMs, leaseGraceMs: 150, leaseFromPerSecond: 2 },
    }).ready();
    const channel = stage.channelOwnedBy(2);
    for (let i = 0; i < 4; i++) stage.published(0, channel);
    t.equal(stage.node(0).mesh.counts().leasesHeld, 1, 'n1 holds a lease of n3');
    stage.sim.cluster.crash(stage.site(0), true);
    const asked = stage.now;
    const { outcome } = stage.subscribe(1, channel);
    stage.until('the subscribe is answered', () => outcome() !== null);
    t.match(outcome(), { ok: true, degraded: false });
    t.ok(stage.now - asked > leaseMs / 2, 'it waited for the dead holder');
    t.equal(stage.published(3, channel).success, 1);
    t.strictSame(stage.end(), []);
  },
);

t.test('an owner dies while a look-up waits for it: the publish goes to everybody who may be interested', async (t) => {
  const stage = new Stage({ nodes: 4, tuning: ONE_OWNER }).ready();
  const channel = stage.channelOwnedBy(2);
  stage.subscribed(1, channel);
  stage.subscribed(3, channel);
  const publication = stage.publish(0, channel);
  stage.run(0.5);
  t.equal(stage.node(0).mesh.counts().lookups, 1, 'the question is on its way');
  stage.sim.cluster.crash(stage.site(2), true);
  stage.until('the counts are there', () => publication.result !== null);
  const { success, unconfirmed } = publication.result!;
  t.equal(success, 2);
  t.strictSame(unconfirmed, ['n3'], 'only the dead owner does not answer');
  t.strictSame(stage.end(), []);
});

t.test('an unsubscribe that overtakes its subscribe ends it, and leaves no interest behind', async (t) => {
  const stage = new Stage({ nodes: 4, tuning: ONE_OWNER }).ready();
  const channel = stage.channelOwnedBy(3);
  const { outcome } = stage.subscribe(0, channel);
  stage.unsubscribe(0, channel);
  t.match(outcome(), { ok: false, reason: 'closed' });
  stage.run(1000);
  t.same(stage.published(1, channel), { success: 0, fail: 0, unconfirmed: [] });
  t.equal(stage.node(3).mesh.counts().directory, 0);
  const again = stage.subscribe(0, channel);
  stage.unsubscribe(0, channel);
  const last = stage.subscribe(0, channel, 1);
  stage.until('the last subscribe is answered', () => last.outcome() !== null);
  t.match(again.outcome(), { ok: false, reason: 'closed' });
  t.match(last.outcome(), { ok: true });
  t.equal(stage.published(2, channel).success, 1);
  t.strictSame(stage.end(), []);
});

t.test(
  'a node is killed and comes back at once under its name: the others take it for the new process that it is',
  async (t) => {
    const stage = new Stage({ nodes: 3, tuning: { profile: 'local', healMs: 1000 } }).ready();
    stage.subscribed(1, 'news');
    const { cluster } = stage.sim;
    const before = stage.node(1);
    cluster.crash(stage.site(1), false);
    cluster.start(stage.site(1), [stage.site(0)]);
    stage.ready();
    t.not(stage.node(1).mesh.boot, before.mesh.boot);
    t.same(stage.published(0, 'news'), { success: 0, fail: 0, unconfirmed: [] }, 'its old clients are forgotten');
    stage.subscribed(1, 'news');
    t.equal(stage.published(0, 'news').success, 1);
    t.equal(stage.published(2, 'news').success, 1);
    t.strictSame(stage.end(), []);
  },
);

t.test('two members that cannot reach each other directly talk through a third', async (t) => {
  const stage = new Stage({ nodes: 3, tuning: { profile: 'local', relayAfterMs: 500, healMs: 1000 } }).ready();
  stage.subscribed(2, 'news');
  const { cluster } = stage.sim;
  cluster.hold(stage.site(0), stage.site(2));
  cluster.reset(stage.site(0), stage.site(2));
  const relayed = () =>
    stage
      .node(0)
      .mesh.members()
      .some(({ nodeId, relayedBy }) => nodeId === 'n3' && relayedBy === 'n2');
  stage.until('n1 reaches n3 through n2', relayed);
  stage.run(300);
  t.same(stage.published(0, 'news'), { success: 1, fail: 0, unconfirmed: [] });
  t.strictSame(stage.end(), []);
  t.notOk(relayed(), 'the relay ends when the direct way is free');
});

t.test('what was under way when a link broke arrives once, after it is back', async (t) => {
  const stage = new Stage({ nodes: 2, tuning: { profile: 'local', resumeMs: 3000 } }).ready();
  stage.subscribed(1, 'news');
  stage.sim.network.hold(stage.sim.cluster.place(stage.site(0)), stage.sim.cluster.place(stage.site(1)));
  const sent = Array.from({ length: 20 }, () => stage.publish(0, 'news'));
  stage.run(20);
  stage.sim.cluster.reset(stage.site(0), stage.site(1));
  stage.sim.cluster.release(stage.site(0), stage.site(1));
  stage.run(1000);
  t.ok(
    sent.every(({ success }) => success === 1),
    'every one arrived, and once',
  );
  t.strictSame(stage.end(), []);
});

t.test('as long as a new view is not announced, the owners of the one before keep what they know', async (t) => {
  // Announcements a second apart per member: the node that somebody joins through has just made one.
  const stage = new Stage({ nodes: 4, tuning: { ...ONE_OWNER, profile: 'lan', announcementsPerSecond: 1 } }).ready();
  const { cluster } = stage.sim;
  const names = Array.from({ length: 40 }, (_, i) => `room-${i}`).filter((name) => stage.owners(name)[0] === 1);
  for (const name of names) stage.subscribed(0, name);
  const joining = cluster.addSite();
  for (const other of [1, 2, 3]) stage.hold(joining.index, other);
  cluster.start(joining, [stage.site(0)]);
  const { mesh } = stage.node(0);
  stage.until('n1 has a session with n5', () =>
    mesh.members().some(({ nodeId, connected }) => nodeId === 'n5' && connected),
  );
  stage.run(5);
  t.equal(stage.node(2).mesh.members().length, 3, 'n3 has not heard of n5');
  const moved = names.filter((name) => mesh.explain(name).owners[0] === 'n5');
  t.ok(moved.length > 0, 'n5 takes channels over from n2');
  for (const name of moved) t.same(stage.published(2, name), { success: 1, fail: 0, unconfirmed: [] });
  t.strictSame(stage.end(), []);
});

for (const timersFirst of [true, false]) {
  t.test(
    `a joiner is stopped while the one it met finds the mesh: it reads what waits ${timersFirst ? 'after' : 'among'} its timers before it begins anything`,
    async (t) => {
      const tuning = { profile: 'lan', seedsRefusedMs: 1000, handshakeMs: 5000 } as const;
      const turns = { longShare: 0, spanMs: 0, timersFirst };
      const stage = new Stage({ nodes: 1, turns, tuning }).ready();
      stage.subscribed(0, 'news');
      const { cluster } = stage.sim;
      const [joiner, stopped] = [cluster.addSite(), cluster.addSite()];
      stage.hold(0, 1).hold(1, 0);
      cluster.start(joiner, [stage.site(0)]);
      cluster.start(stopped, [joiner]);
      stage.until(
        'the two joiners have met',
        () => stage.node(2).mesh.settled() && stage.node(2).mesh.members().length === 1,
      );
      cluster.stall(stopped, 1500);
      stage.run(1300);
      stage.release(0, 1).release(1, 0);
      stage.until('the one that was stopped is ready', () => stage.node(2).mesh.phase === 'ready');
      t.equal(stage.published(2, 'news').success, 1, 'it knows the mesh that was there');
      t.strictSame(stage.end(), []);
    },
  );
}

t.test(
  'a joiner whose only acquaintance finds the mesh, and cannot tell it, does not go by what that one said before',
  async (t) => {
    const tuning = { profile: 'lan', seedsRefusedMs: 1000, handshakeMs: 5000 } as const;
    const stage = new Stage({ nodes: 1, tuning }).ready();
    stage.subscribed(0, 'news');
    const { cluster } = stage.sim;
    const [joiner, waiting] = [cluster.addSite(), cluster.addSite()];
    stage.hold(0, 1).hold(1, 0);
    cluster.start(joiner, [stage.site(0)]);
    cluster.start(waiting, [joiner]);
    stage.until('the two joiners have met', () =>
      [1, 2].every((i) => stage.node(i).mesh.settled() && stage.node(i).mesh.members().length === 1),
    );
    stage.hold(1, 2).hold(0, 2).release(0, 1).release(1, 0);
    stage.until('one of them has found the mesh', () => stage.node(1).mesh.members().length === 2);
    stage.run(1500);
    stage.publish(2, 'news');
    t.equal(stage.node(2).mesh.phase, 'joining');
    stage.release(1, 2).release(0, 2);
    stage.until('the other is ready', () => stage.node(2).mesh.phase === 'ready');
    t.equal(stage.published(2, 'news').success, 1, 'it knows the mesh that was there');
    t.strictSame(stage.end(), []);
  },
);
