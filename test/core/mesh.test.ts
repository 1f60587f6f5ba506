import t from 'tap';
import { MeshNet } from './mesh-net.js';

const COMPLETE = (success: number) => ({ success, fail: 0, unconfirmed: [] });

t.test('a node without seeds begins a mesh of its own and delivers to itself', async (t) => {
  const net = new MeshNet();
  const a = net.start('a', []);
  net.run(10);
  t.equal(a.mesh.phase, 'ready');
  const { listener, outcome } = a.subscribe('c');
  t.same(outcome, { ok: true, degraded: false });
  t.same(a.publish('c', 'hello').result, COMPLETE(1));
  t.same(listener.got, ['hello']);
  t.same(a.publish('other', 'x').result, COMPLETE(0));
});

t.test('three nodes join, and one publish reaches a subscriber on each, with exact counts', async (t) => {
  const net = new MeshNet();
  const nodes = net.cluster(3);
  for (const node of nodes) {
    t.equal(node.mesh.phase, 'ready', node.mesh.notReadyReasons().join());
    t.ok(node.mesh.settled());
    t.equal(node.mesh.digest(), nodes[0].mesh.digest());
  }
  const subs = nodes.map((node) => node.subscribe('user:1001'));
  net.run(20);
  for (const sub of subs) t.same(sub.outcome, { ok: true, degraded: false });
  for (const [i, node] of nodes.entries()) {
    const { result } = (() => {
      const state = node.publish('user:1001', `from ${i}`);
      net.run(5);
      return state;
    })();
    t.same(result, COMPLETE(3));
  }
  for (const { listener } of subs) t.same(listener.got, ['from 0', 'from 1', 'from 2']);
});

t.test('joining one after the other or all at once raises no gap: nobody missed anything', async (t) => {
  for (let size = 2; size <= 8; size++) {
    const net = new MeshNet();
    const nodes = net.cluster(size);
    t.same(
      nodes.flatMap((node) => node.gaps),
      [],
      `${size} nodes`,
    );
    nodes.push(...Array.from({ length: 3 }, (_, i) => net.start(`late-${i}`, ['n0'])));
    net.run(20_000);
    t.ok(nodes.every((node) => node.mesh.phase === 'ready'));
    t.same(
      nodes.flatMap((node) => node.gaps),
      [],
      `${size} nodes and three late ones`,
    );
  }
});

t.test('a publish that starts after the acknowledgement arrives, thousands of times', async (t) => {
  const net = new MeshNet();
  const nodes = net.cluster(3);
  let misses = 0;
  for (let i = 0; i < 3000; i++) {
    const on = nodes[i % 3];
    const sub = on.subscribe(`c${i}`);
    while (sub.outcome === null) net.run(0.5);
    const state = nodes[(i + 1) % 3].publish(`c${i}`, 'x');
    net.run(3);
    if (sub.listener.got.length !== 1 || state.result?.success !== 1) misses++;
    on.mesh.unsubscribeAll(sub.listener);
  }
  t.equal(misses, 0);
});

t.test('a killed node is gone within a second, and publishes then count the living alone', async (t) => {
  const net = new MeshNet();
  const [a, b, c] = net.cluster(3);
  const subs = [a, b, c].map((node) => node.subscribe('c'));
  net.run(20);
  net.kill(c);
  net.run(1000);
  t.equal(a.mesh.members().length, 1);
  t.equal(b.mesh.members().length, 1);
  const state = a.publish('c', 'after');
  net.run(10);
  t.same(state.result, COMPLETE(2));
  t.same(subs[1].listener.got, ['after']);
});

t.test('a node that was killed comes back under its name without help', async (t) => {
  const net = new MeshNet();
  const [a, , c] = net.cluster(3);
  net.kill(c);
  net.run(200);
  const again = net.start('n2', ['n0']);
  net.run(5000);
  t.equal(again.mesh.phase, 'ready', again.mesh.notReadyReasons().join());
  const sub = again.subscribe('c');
  net.run(20);
  const state = a.publish('c', 'welcome');
  net.run(10);
  t.same(state.result, COMPLETE(1));
  t.same(sub.listener.got, ['welcome']);
});

t.test('what was sent while a link was broken arrives once, in order, when the session comes back', async (t) => {
  const net = new MeshNet();
  const [a, b] = net.cluster(2);
  const sub = b.subscribe('c');
  net.run(20);
  a.publish('c', '1');
  net.run(0.5);
  net.breakLinks(a, b);
  const during = a.publish('c', '2');
  net.run(1.2);
  a.publish('c', '3');
  net.run(500);
  const after = a.publish('c', '4');
  net.run(10);
  t.same(sub.listener.got, ['1', '2', '3', '4']);
  t.ok(during.result!.unconfirmed.length === 1);
  t.same(after.result, COMPLETE(1));
  t.same(b.gaps, []);
});

t.test('a graceful leave costs no publish on the others a failure', async (t) => {
  const net = new MeshNet();
  const [a, b, c] = net.cluster(3);
  const subs = [a, b, c].map((node) => node.subscribe('c'));
  net.run(20);
  let left = false;
  let failures = 0;
  c.mesh.leave(
    (drained) => {
      c.mesh.unsubscribeAll(subs[2].listener);
      drained();
    },
    () => {
      left = true;
    },
  );
  for (let i = 0; i < 300; i++) {
    const state = a.publish('c', `${i}`);
    net.run(10);
    if (state.result === null || state.result.fail > 0) failures++;
  }
  t.ok(left);
  t.equal(failures, 0);
  t.equal(subs[1].listener.got.length, 300);
  t.equal(a.mesh.members().length, 1);
  t.equal(b.mesh.members().length, 1);
});

t.test(
  'two members that cannot reach each other exchange their session through a third, and directly again later',
  async (t) => {
    const net = new MeshNet();
    const [a, b, c] = net.cluster(3);
    const subs = [a, b].map((node) => node.subscribe('c'));
    net.run(20);
    net.cut.add('n0>n1');
    net.cut.add('n1>n0');
    net.breakLinks(a, b);
    net.run(8000);
    t.equal(a.mesh.members().find(({ nodeId }) => nodeId === 'n1')?.relayedBy, 'n2');
    t.ok(a.mesh.settled() && b.mesh.settled() && c.mesh.settled());
    const state = a.publish('c', 'around');
    net.run(10);
    t.same(state.result, COMPLETE(2));
    const late = b.subscribe('late');
    net.run(20);
    t.same(late.outcome, { ok: true, degraded: false });
    net.cut.clear();
    net.run(8000);
    t.equal(a.mesh.members().find(({ nodeId }) => nodeId === 'n1')?.relayedBy, null);
    const direct = a.publish('c', 'direct');
    net.run(10);
    t.same(direct.result, COMPLETE(2));
    for (const { listener } of subs) t.same(listener.got, ['around', 'direct']);
    t.same([...a.gaps, ...b.gaps, ...c.gaps], []);
  },
);

t.test('a question to another node is answered, refused, or in time given up', async (t) => {
  const net = new MeshNet();
  const [a, b] = net.cluster(2);
  const text = new TextEncoder();
  b.mesh.answer('double', (body, reply) => reply(true, text.encode(`${new TextDecoder().decode(body)}!`)));
  b.mesh.answer('silent', () => {});
  const answers: string[] = [];
  const ask = (to: string | number, op: string): void =>
    a.mesh.ask(to, op, text.encode('hi'), (outcome) => {
      answers.push(outcome.ok ? new TextDecoder().decode(outcome.body) : outcome.reason);
    });
  ask('n1', 'double');
  ask(b.mesh.boot, 'double');
  ask('n1', 'unknown');
  ask('n1', 'silent');
  ask('nobody', 'double');
  net.run(2100);
  t.same(answers, ['no_such_node', 'hi!', 'hi!', 'refused', 'timeout']);
});
