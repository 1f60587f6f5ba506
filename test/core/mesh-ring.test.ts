import t from 'tap';
import { MeshNet } from './mesh-net.js';

const COMPLETE = (success: number) => ({ success, fail: 0, unconfirmed: [] });

t.test(
  'in a mesh of twelve, three owners know a channel, and a publish from anybody finds its subscribers',
  async (t) => {
    const net = new MeshNet();
    const nodes = net.cluster(12);
    for (const node of nodes) t.ok(node.mesh.settled(), node.mesh.notReadyReasons().join());
    const { owners } = nodes[0].mesh.explain('c');
    t.equal(owners.length, 3);
    const subs = [nodes[3], nodes[7]].map((node) => node.subscribe('c'));
    net.run(20);
    for (const sub of subs) t.same(sub.outcome, { ok: true, degraded: false });
    for (const [i, node] of nodes.entries()) {
      const state = node.publish('c', `${i}`);
      net.run(10);
      t.same(state.result, COMPLETE(2));
    }
    for (const { listener } of subs) t.equal(listener.got.length, 12);
    const rows = nodes.reduce((sum, node) => sum + node.mesh.counts().directory, 0);
    const self = owners.filter((id) => id === 'n3' || id === 'n7').length;
    t.equal(rows, 6 - self);
  },
);

t.test('a subscriber that comes while a lease is held is in it before its subscribe is acknowledged', async (t) => {
  const net = new MeshNet();
  const [publisher, other] = net.leased('hot');
  t.equal(publisher.mesh.counts().leasesHeld, 1);
  const sub = other.subscribe('hot');
  while (sub.outcome === null) net.run(0.25);
  t.same(sub.outcome, { ok: true, degraded: false });
  const state = publisher.publish('hot', 'first');
  net.run(5);
  t.same(state.result, COMPLETE(1));
  t.same(sub.listener.got, ['first']);
  t.equal(publisher.mesh.counts().lookups, 0, 'by the lease, without asking');
});

t.test(
  'a lease holder that dies while a subscribe waits for it delays that subscribe to the end of the lease',
  async (t) => {
    const net = new MeshNet({ leaseMs: 1000, leaseGraceMs: 100 });
    const [publisher, other] = net.leased('hot');
    publisher.alive = false;
    const sub = other.subscribe('hot');
    net.run(500);
    t.equal(sub.outcome, null);
    net.run(1500);
    t.same(sub.outcome, { ok: true, degraded: false });
  },
);

t.test(
  'an owner that dies while a look-up waits for it costs the publish the pause before the second owner',
  async (t) => {
    const net = new MeshNet();
    const nodes = net.cluster(12);
    const { owners } = nodes[0].mesh.explain('c');
    const [publisher, other] = nodes.filter((node) => !owners.includes(node.name));
    const sub = other.subscribe('c');
    net.run(20);
    nodes.find((node) => node.name === owners[0])!.alive = false;
    const state = publisher.publish('c', 'x');
    net.run(49);
    t.equal(state.result, null);
    net.run(10);
    t.same(state.result, COMPLETE(1));
    t.same(sub.listener.got, ['x']);
  },
);

t.test('publishes behind a look-up keep their order', async (t) => {
  const net = new MeshNet();
  const nodes = net.cluster(12);
  const { owners } = nodes[0].mesh.explain('c');
  const [publisher, other] = nodes.filter((node) => !owners.includes(node.name));
  const sub = other.subscribe('c');
  net.run(20);
  const sent = Array.from({ length: 20 }, (_, i) => {
    const state = publisher.publish('c', `${i}`);
    net.run(0.3);
    return state;
  });
  net.run(20);
  t.same(
    sub.listener.got,
    sent.map((_, i) => `${i}`),
  );
  for (const { result } of sent) t.same(result, COMPLETE(1));
});

t.test('a publish that goes to most of the view for want of proof counts as a flood, within the budget', async (t) => {
  const net = new MeshNet({ floodBurst: 3, floodsPerSecond: 0 });
  const nodes = net.cluster(12);
  const { owners } = nodes[0].mesh.explain('c');
  const owner = nodes.find(({ name }) => name === owners[0])!;
  const floods = () => owner.counted.get('floods_total') ?? 0;
  owner.publish('c', 'in peace');
  t.equal(floods(), 0);
  // In the view with the thirteenth nobody has announced anything yet.
  net.start('n12', ['n0']);
  const unproved = () =>
    owner.mesh.explain('c').route.filter(({ why }) => why === 'no sync mark' || why === 'other view');
  while (unproved().length <= 8) net.run(0.25);
  t.ok(owner.mesh.explain('c').owners.includes(owner.name), 'it still decides by itself');
  for (let sent = 1; sent <= 5; sent++) {
    owner.publish('c', `${sent}`);
    t.equal(floods(), Math.min(sent, 3));
  }
  t.equal(owner.mesh.counts().publishesWaiting, 2, 'the others wait until they need no flood');
  net.run(1000);
  t.equal(owner.mesh.counts().publishesWaiting, 0);
  t.equal(floods(), 3);
});
