/** `GET /v1/channels/{c}` must be the truth from any node, also where the node that is asked owns nothing of the channel. */
import t from 'tap';
import type { Backplane, ChannelReport } from '../../src/api/roles.js';
import { explainLookup } from '../../src/core/explain.js';
import { answerAboutSelf, Reach } from '../../src/core/reach.js';
import type { RouteReason } from '../../src/core/report.js';
import { createBackplane } from '../../src/node/backplane.js';
import { MeshNet, type TestNode } from '../core/mesh-net.js';
import { Client, quietLog, startMesh } from './cluster.js';

const ASK_TIMEOUT_MS = 50;
const SELF = { connections: 0, channels: 0, subscriptions: 0 };
const nobody = { send: () => null, call: () => false };

function backplaneOf({ mesh }: TestNode): Backplane {
  answerAboutSelf(
    mesh,
    () => SELF,
    (channel) => mesh.explain(channel),
  );
  return createBackplane({
    mesh,
    reach: new Reach(mesh, nobody),
    log: quietLog(),
    meter: { count() {}, observe() {} },
    version: '1',
    reasons: () => [],
    self: () => SELF,
    metrics: async () => '',
  });
}

/** Twelve nodes with three owners of each channel, and what each of them reports of channel `c`. */
function twelve() {
  const net = new MeshNet({ lingerMs: 1000, askTimeoutMs: ASK_TIMEOUT_MS });
  const nodes = net.cluster(12);
  const backplanes = nodes.map(backplaneOf);
  const { owners } = nodes[0].mesh.explain('c');
  const isOwner = ({ name }: TestNode) => owners.includes(name);
  const report = (node: TestNode, waitMs = 20): ChannelReport => {
    let told: ChannelReport | null = null;
    backplanes[nodes.indexOf(node)].channel('c', (answer) => {
      told = answer;
    });
    net.run(waitMs);
    return told!;
  };
  return { net, nodes, owners, report, isOwner };
}

const names = ({ route }: ChannelReport): string[] => route.map(({ nodeId }) => nodeId).sort();

t.test('every node of twelve names the same subscribers, owners and route', (t) => {
  const { net, nodes, owners, report, isOwner } = twelve();
  const away = nodes.filter((node) => !isOwner(node));
  const subscribed = [away[0], away[0], away[5], nodes.find(isOwner)!];
  for (const node of subscribed) node.subscribe('c');
  net.run(20);
  const subscribers = { [away[0].name]: 2, [away[5].name]: 1, [subscribed[3].name]: 1 };
  for (const node of nodes) {
    const told = report(node);
    t.same(told.subscribers, subscribers, node.name);
    t.same(told.owners, owners);
    t.same(names(told), Object.keys(subscribers).sort(), `a publish at ${node.name}`);
    for (const { nodeId, why } of told.route)
      t.equal(why, nodeId === node.name ? 'subscribers here' : 'interest', `${nodeId} at ${node.name}`);
    t.same(told.lookup, isOwner(node) ? null : { answeredBy: owners[0] });
  }
  t.end();
});

t.test('a node with nothing to do with a channel says that nobody is sent to, and who said so', (t) => {
  const { nodes, owners, report, isOwner } = twelve();
  const told = report(nodes.find((node) => !isOwner(node))!);
  t.same(told, {
    channel: 'c',
    subscribers: {},
    patterns: [],
    owners,
    route: [],
    lookup: { answeredBy: owners[0] },
  });
  t.end();
});

t.test('interest that outlives the last subscriber is in the route, whether a member or an owner has it', (t) => {
  const { net, nodes, report, isOwner } = twelve();
  const [asked, other] = nodes.filter((node) => !isOwner(node));
  for (const node of [nodes.find(isOwner)!, other]) {
    const { listener } = node.subscribe('c');
    net.run(20);
    node.mesh.unsubscribe(listener, 'c');
    const told = report(asked);
    t.same([told.subscribers, told.route], [{}, [{ nodeId: node.name, why: 'interest' }]]);
    net.run(1500);
    t.same(report(asked).route, []);
  }
  t.end();
});

t.test('with a lease nobody is asked', (t) => {
  const { net, nodes, report, isOwner } = twelve();
  const [publisher, other] = nodes.filter((node) => !isOwner(node));
  other.subscribe('c');
  net.run(20);
  for (let i = 0; i < 10; i++) {
    publisher.publish('c', `${i}`);
    net.run(20);
  }
  t.match(report(publisher), { route: [{ nodeId: other.name, why: 'lease' }], lookup: null });
  t.end();
});

t.test('an owner that does not answer is passed over; without any, a publish goes to every member', (t) => {
  const { net, nodes, owners, report, isOwner } = twelve();
  const [asked, other] = nodes.filter((node) => !isOwner(node));
  other.subscribe('c');
  net.run(20);
  const everybody = nodes.filter((node) => node !== asked).map(({ name }) => name);
  for (const [i, owner] of owners.entries()) {
    net.cut.add(`${owner}>${asked.name}`);
    const told = report(asked, ASK_TIMEOUT_MS + 1);
    t.equal(told.subscribers[owner], null);
    t.same(told.lookup, { answeredBy: owners[i + 1] ?? null });
    t.same(names(told), i + 1 < owners.length ? [other.name] : everybody.sort());
  }
  t.match(report(asked, ASK_TIMEOUT_MS + 1).route[0], { why: 'no owner answered' });
  t.end();
});

t.test('a member that was never met is not sent to, whether an owner answers or not', (t) => {
  const { net, nodes, owners, report, isOwner } = twelve();
  const [asked, other] = nodes.filter((node) => !isOwner(node));
  other.subscribe('c');
  net.run(20);
  for (const [a, b] of [
    [asked.name, 'late'],
    ['late', asked.name],
  ])
    net.cut.add(`${a}>${b}`);
  net.start('late', ['n0']);
  net.run(100);
  t.ok(asked.mesh.members().some(({ nodeId }) => nodeId === 'late'));
  t.same(asked.mesh.explain('c').owners, owners, 'it took nothing over');
  t.same(names(report(asked)), [other.name]);
  for (const owner of owners) net.cut.add(`${owner}>${asked.name}`);
  const met = nodes.filter((node) => node !== asked).map(({ name }) => name);
  t.same(names(report(asked, ASK_TIMEOUT_MS + 1)), met.sort());
  t.end();
});

t.test('an owner with another view does not decide, and a member that announced another view is sent to', (t) => {
  const row = (nodeId: string, why: RouteReason) => ({ nodeId, why });
  const nothing = { subscribers: 0, patterns: [], interested: false };
  const here = { channel: 'c', digest: 'new', ...nothing, owners: ['o1', 'o2'], lookup: true };
  const owner = {
    ...here,
    lookup: false,
    route: [row('s', 'interest'), row('me', 'interest'), row('u', 'no sync mark'), row('new', 'no sync mark')],
  };
  const late = { ...owner, digest: 'old', route: [row('x', 'interest')] };
  const told = explainLookup(
    { ...here, route: [row('m', 'other view'), row('u', 'other view')] },
    'me',
    ['m', 'o1', 'o2', 's', 'u'],
    new Map([
      ['o1', late],
      ['o2', owner],
    ]),
  );
  t.same(told, {
    route: [row('s', 'interest'), row('u', 'no sync mark'), row('m', 'other view')],
    answeredBy: 'o2',
  });
  t.end();
});

t.test('over HTTP: three nodes, one owner of each channel, the same answer from each', async (t) => {
  const nodes = await startMesh(3, { cluster: { ring: { replicateAllUpTo: 0, replicas: 1 } } });
  t.teardown(() => Promise.all(nodes.map((node) => node.close())));
  const client = await Client.open(nodes[1].addresses.clients[0]);
  // Each has one owner among the three, so two of the answers are always of a look-up.
  for (const channel of ['a', 'b', 'c', 'd', 'e', 'f']) {
    t.ok((await client.ask({ op: 'subscribe', channel })).success);
    for (const node of nodes) {
      const answer = await fetch(`http://${node.addresses.api}/v1/channels/${channel}`);
      const { r } = (await answer.json()) as { r: ChannelReport };
      const { nodeId } = node.mesh;
      const [owner] = r.owners;
      t.same(r, {
        channel,
        subscribers: { 'node-2': 1 },
        patterns: [],
        owners: [owner],
        route: [{ nodeId: 'node-2', why: nodeId === 'node-2' ? 'subscribers here' : 'interest' }],
        lookup: nodeId === owner ? null : { answeredBy: owner },
      });
    }
  }
  client.close();
});
