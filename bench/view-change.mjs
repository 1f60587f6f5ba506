/**
 * A member joins, leaves and dies in a mesh of 500: how long that holds up the event loop of one node, against building the
 * ring with hashring alone, as a node would do it for every view without care. The node has sessions with all others, which
 * answer as real ones do, 2,000 channels with subscribers of its own, and publishes to 100 of them right after each change.
 *
 *   node bench/view-change.mjs [--quick]
 *
 * One process, no network: the links are in memory. The worst of all turns that belong to one change counts.
 */
import HashRing from 'hashring';
import { Mesh } from '../dist/core/mesh.js';
import { quick } from './lib/compare.mjs';

const NODES = 500;
const CHANNELS = 2000;
const CHANGES = quick ? 5 : 10;

let now = 0;
let ends = [];
const timers = [];
const clock = {
  now: () => now,
  after(ms, fn) {
    const timer = { at: now + ms, fn };
    timers.push(timer);
    return () => {
      timer.fn = null;
    };
  },
  endOfTurn: (fn) => ends.push(fn),
};

/** Runs `work` and the end of its turn; how long the loop was held up, ms. */
function turn(work) {
  const began = performance.now();
  work();
  while (ends.length > 0) {
    const due = ends;
    ends = [];
    for (const fn of due) fn();
  }
  return performance.now() - began;
}

/** Lets `ms` pass; the longest turn. */
function pass(ms) {
  const until = now + ms;
  let longest = 0;
  for (;;) {
    const next = timers.filter(({ fn, at }) => fn && at <= until).sort((a, b) => a.at - b.at)[0];
    if (!next) break;
    now = Math.max(now, next.at);
    const { fn } = next;
    timers.splice(timers.indexOf(next), 1);
    longest = Math.max(longest, turn(fn));
    longest = Math.max(longest, answerAll());
  }
  now = until;
  return longest;
}

const outgoing = [];
const links = {
  dial: () => 1_000_000,
  send(link, _lane, frames) {
    outgoing.push([link, frames]);
    return true;
  },
  close() {},
};
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const sockets = {
  deliver: ({ subscribers }) => ({ success: subscribers.size, fail: 0 }),
  joined() {},
  left() {},
};
const random = { uint32: () => (Math.random() * 2 ** 32) >>> 0, fraction: Math.random };
const node = { nodeId: 'zzz', address: 'zzz:6788', api: '', version: '1' };
const mesh = new Mesh(
  { node, tuning: { profile: 'lan' } },
  { clock, random, links, sockets, log: silent, meter: { count() {}, observe() {} } },
);

const record = (i) => ({
  nodeId: `n-${String(i).padStart(3, '0')}`,
  boot: i + 1,
  gen: 0,
  incarnation: 0,
  state: 'alive',
  role: 'full',
  address: `10.0.${i >> 8}.${i & 255}:6788`,
  api: '',
  version: '1',
  accuser: '',
});

/** Link i is node i's; what it answers to what the node sends. */
function answersOf(frames) {
  const answers = [];
  for (const frame of frames) {
    if (frame.kind === 'announce') {
      answers.push({ kind: 'announce', digest: frame.digest, members: [] });
      answers.push({ kind: 'announceAck', digest: frame.digest, members: [] });
      answers.push({ kind: 'sync', digest: frame.digest });
    } else if (frame.kind === 'register') {
      answers.push({ kind: 'registerAck', versions: frame.entries.map(({ version }) => version) });
    } else if (frame.kind === 'ping') answers.push({ kind: 'pingAck', seq: frame.seq, updates: [] });
  }
  return answers;
}

function answerAll() {
  let longest = 0;
  while (outgoing.length > 0) {
    const [link, frames] = outgoing.shift();
    const answers = answersOf(frames);
    if (answers.length > 0)
      longest = Math.max(
        longest,
        turn(() => mesh.received(link, 'control', answers)),
      );
  }
  return longest;
}

function meet(i) {
  const self = record(i);
  const hello = { kind: 'hello', protocolMin: 1, protocolMax: 1, self, digest: '', members: [self], session: 1 };
  return turn(() => {
    mesh.opened(i, null, 'memory');
    mesh.received(i, 'control', [{ ...hello, lastEpoch: 0, lastReceived: 0, ready: true }]);
  });
}

turn(() => mesh.start([], () => {}));
for (let i = 0; i < NODES - 1; i++) {
  meet(i);
  answerAll();
}
pass(500);
turn(() => {
  for (let i = 0; i < CHANNELS; i++) mesh.subscribe({ id: String(i) }, `user:${i}`, () => {});
});
pass(500);
if (mesh.members().length !== NODES - 1 || !mesh.settled()) throw new Error('the mesh did not come together');

function publishSome() {
  for (let i = 0; i < 100; i++) mesh.publish(`user:${i * 7}`, new Uint8Array(8), false, null);
}

const blocked = [];
for (let k = 0; k < CHANGES; k++) {
  const id = NODES + k;
  const join = Math.max(meet(id), turn(publishSome), answerAll(), pass(50));
  const told = [{ ...record(id), state: 'dead', accuser: 'n-001' }];
  const gossip = [{ kind: 'gossip', updates: told }];
  const death = Math.max(
    turn(() => mesh.received(1, 'control', gossip)),
    turn(publishSome),
    answerAll(),
    pass(50),
  );
  blocked.push(join, death);
  console.log(`  join ${join.toFixed(1)} ms, death ${death.toFixed(1)} ms`);
}

const alone = [];
for (let k = 0; k < 3; k++) {
  const servers = Object.fromEntries(Array.from({ length: NODES }, (_, i) => [record(i).nodeId, { vnodes: 150 }]));
  const began = performance.now();
  new HashRing(servers);
  alone.push(performance.now() - began);
}
const ours = Math.max(...blocked);
const baseline = Math.min(...alone);
console.log(`  worst ${ours.toFixed(1)} ms of ${blocked.length} changes; hashring alone ${baseline.toFixed(1)} ms`);
console.log(
  JSON.stringify({
    claim: 'a view change at 500 nodes blocks the event loop (aim: under 100 ms)',
    ours,
    baseline,
    ratio: baseline / ours,
    unit: 'ms',
  }),
);
