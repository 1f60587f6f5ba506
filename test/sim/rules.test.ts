/** The rules that cannot be left out (ROUTING.md, last table): for each the shortest story in which its absence loses something. */
import t from 'tap';
import type { FrameKind } from '../../src/core/frames.js';
import { RULE_NAMES, type RuleName } from '../../src/core/rules.js';
import type { Swarm } from '../../src/sim/swarm.js';
import { needed } from './needed.js';
import { Stage } from './stage.js';

const TUNING = {
  profile: 'local',
  replicateAllUpTo: 0,
  replicas: 1,
  lingerMs: 200,
  leaseMs: 1500,
  leaseGraceMs: 150,
  leaseFromPerSecond: 2,
  lookupGiveUpMs: 1900,
} as const;

const told = new Set<RuleName>();

function mesh(nodes: number, without: RuleName | undefined, tuning: Swarm['tuning'] = {}): Stage {
  return new Stage({ nodes, tuning: { ...TUNING, ...tuning } }, without).ready().run(100);
}

function tell(rule: RuleName, title: string, story: (without?: RuleName) => Stage): void {
  told.add(rule);
  needed(rule, title, story);
}

/** Calls `then` when a frame of that kind arrives at that site for the first time, before it is looked at. */
function onFirst(stage: Stage, kind: FrameKind, at: number, then: () => void): void {
  const { network } = stage.sim;
  const { watch } = network;
  const { endpoint } = stage.node(at);
  network.watch = (to, from, lane, frames, sentAt) => {
    watch(to, from, lane, frames, sentAt);
    if (to !== endpoint || !frames.some((frame) => frame.kind === kind)) return;
    network.watch = watch;
    then();
  };
}

/** A channel that the site `from` owns in a mesh of three, and the site `to` in a mesh of four. */
function movingChannel(from: number, to: number): string {
  const three = mesh(3, undefined);
  const four = mesh(4, undefined);
  for (let i = 0; ; i++) {
    const channel = `moving-${i}`;
    if (three.owners(channel)[0] === from && four.owners(channel)[0] === to) return channel;
  }
}

/** n2 publishes so often that it gets a lease of the owner. */
function leased(stage: Stage, channel: string): void {
  for (let i = 0; i < 3; i++) stage.published(1, channel);
  if (stage.node(1).mesh.counts().leasesHeld !== 1) throw new Error('n2 has no lease');
}

tell(
  'all-owners-acknowledge',
  'a subscribe that one of two owners has not heard of is not acknowledged: publishers may ask that one',
  (without) => {
    const stage = mesh(4, without, { replicas: 2 });
    const channel = stage.sim.workload.channels.find((name) => stage.owners(name).join() === '3,2')!;
    stage.hold(0, 3);
    stage.subscribe(0, channel);
    stage.run(50);
    stage.publish(1, channel);
    return stage.run(100).release(0, 3);
  },
);

tell(
  'unsynced-members-included',
  'an owner that lost its session with a subscriber’s node counts it as interested until it has announced itself again',
  (without) => {
    const stage = mesh(4, without);
    const channel = stage.channelOwnedBy(3);
    stage.subscribed(0, channel);
    stage.sim.cluster.reset(stage.site(0), stage.site(3));
    // Both have noticed, and n1 has begun to dial.
    stage.run(1.5).hold(0, 3).run(20);
    stage.publish(1, channel);
    return stage.run(100).release(0, 3);
  },
);

tell(
  'sync-after-registers',
  'a node that stalls after it has announced itself, before it has registered all, counts as interested in everything',
  (without) => {
    const stage = mesh(4, without, { walkChannels: 1 });
    stage.subscribed(0, stage.channelOwnedBy(2));
    const channel = stage.channelOwnedBy(3);
    stage.subscribed(0, channel);
    onFirst(stage, 'accept', 0, () => stage.sim.cluster.stall(stage.site(0), 300));
    stage.sim.cluster.reset(stage.site(0), stage.site(3));
    stage.run(50);
    stage.publish(1, channel);
    return stage.run(500);
  },
);

tell(
  'owner-check',
  'a question that reaches the owner after it has stopped being one gets no answer, though the asker’s view is by then the same',
  (without) => {
    const channel = movingChannel(2, 3);
    const stage = mesh(3, without);
    stage.subscribed(0, channel);
    stage.hold(1, 2);
    stage.publish(1, channel);
    stage.run(20);
    const fourth = stage.sim.cluster.addSite();
    stage.hold(1, 3).hold(3, 1);
    stage.sim.cluster.start(fourth, [stage.site(0)]);
    stage.until('all know n4', () => [0, 1, 2].every((i) => stage.node(i).mesh.members().length === 3));
    return stage.run(20).release(1, 2).run(100).release(1, 3).release(3, 1);
  },
);

tell(
  'digest-equality',
  'a lease of the owner that a channel had before somebody joined is not used after it',
  (without) => {
    const channel = movingChannel(2, 3);
    const stage = mesh(3, without);
    leased(stage, channel);
    stage.hold(2, 1);
    stage.sim.cluster.start(stage.sim.cluster.addSite(), [stage.site(0)]);
    stage.until('all know n4', () => [0, 1, 2].every((i) => stage.node(i).mesh.members().length === 3));
    stage.run(20);
    stage.subscribe(0, channel);
    stage.run(50);
    stage.publish(1, channel);
    return stage.run(100).release(2, 1);
  },
);

/** The rumour of n4's death reaches n1, and n3 through it; n4 itself hears nothing. n2 is the publisher. */
function rumour(stage: Stage): string {
  const channel = stage.channelOwnedBy(3);
  stage.hold(0, 3).hold(2, 1);
  stage.sim.cluster.accuse(stage.site(0), stage.site(3));
  return channel;
}

tell('settled', 'a subscribe of a node whose view the publisher does not know yet is not acknowledged', (without) => {
  const stage = mesh(4, without);
  stage.hold(0, 1);
  const channel = rumour(stage);
  stage.run(20);
  stage.subscribe(0, channel);
  stage.run(50);
  stage.publish(1, channel);
  return stage.run(50).release(0, 1).release(0, 3).release(2, 1);
});

tell(
  'mismatched-announcements-included',
  'a node that hears amid a handshake that the owner is dead is sent to, though the owner believes to know its interest',
  (without) => {
    const stage = mesh(4, without);
    let channel = '';
    onFirst(stage, 'hello', 1, () => {
      channel = rumour(stage);
    });
    stage.sim.cluster.reset(stage.site(0), stage.site(1));
    stage.until('n1 has removed n4', () => stage.node(0).mesh.members().length === 2);
    stage.subscribed(0, channel);
    stage.publish(1, channel);
    return stage.run(100).release(0, 3).release(2, 1);
  },
);

tell('lease-wait', 'a subscribe that a lease holder cannot be told of waits until the lease has ended', (without) => {
  const stage = mesh(3, without);
  const channel = stage.channelOwnedBy(2);
  leased(stage, channel);
  stage.hold(2, 1);
  stage.subscribe(0, channel);
  stage.run(50);
  stage.publish(1, channel);
  return stage.run(100).release(2, 1);
});

tell(
  'holder-clock-from-sending',
  'a lease whose answer was long under way is over when it arrives, as it is at the owner',
  (without) => {
    const stage = mesh(3, without, { lookupHedgeMs: 1900 });
    const channel = stage.channelOwnedBy(2);
    stage.published(1, channel);
    stage.publish(1, channel);
    stage.hold(2, 1).run(1600);
    stage.release(2, 1).run(350);
    stage.subscribe(0, channel);
    stage.run(50);
    stage.publish(1, channel);
    return stage.run(100);
  },
);

tell(
  'leases-survive',
  'an owner that lost its session with a lease holder still waits for the lease: the holder may not have noticed',
  (without) => {
    const stage = mesh(3, without);
    const channel = stage.channelOwnedBy(2);
    leased(stage, channel);
    stage.hold(2, 1);
    stage.sim.cluster.reset(stage.site(1), stage.site(2));
    stage.run(20);
    stage.subscribe(0, channel);
    stage.run(50);
    stage.publish(1, channel);
    return stage.run(100).release(2, 1);
  },
);

tell(
  'versioned-register-ack',
  'the late acknowledgement of an unsubscribe is not taken for that of the subscribe that followed it',
  (without) => {
    const stage = mesh(3, without);
    const channel = stage.channelOwnedBy(2);
    stage.subscribed(0, channel);
    // It publishes there as well, so its record of the channel outlives its interest.
    stage.published(0, channel);
    stage.hold(2, 0);
    stage.unsubscribe(0, channel);
    stage.run(250).hold(0, 2);
    stage.subscribe(0, channel);
    stage.run(10).release(2, 0).run(50);
    stage.publish(1, channel);
    return stage.run(50).release(0, 2);
  },
);

tell(
  'gen-in-digest',
  'an owner that was held for dead and came back does not vouch for a node that has not met it since',
  (without) => {
    const stage = mesh(4, without);
    const channel = stage.channelOwnedBy(2);
    stage.hold(0, 2).hold(2, 1).hold(2, 3);
    stage.sim.cluster.accuse(stage.site(0), stage.site(2));
    stage.run(20);
    stage.subscribed(0, channel);
    stage.release(2, 1).release(2, 3);
    const back = () => [0, 1].every((i) => stage.node(i).mesh.members().length === 3);
    stage.until('n3 is back', () => back() && stage.node(1).mesh.members()[1].connected);
    stage.run(20);
    stage.publish(1, channel);
    return stage.run(100).release(0, 2);
  },
);

/** n2 has a subscriber; later n3 begins, with n1 as its seed. Nothing excuses a miss here: only graceful things happen. */
function third(without: RuleName | undefined): Stage {
  const stage = new Stage({ nodes: 2, tuning: { ...TUNING, replicateAllUpTo: 8 }, lossless: true }, without).ready();
  stage.subscribed(1, 'news');
  stage.run(5000);
  stage.sim.cluster.start(stage.sim.cluster.addSite(), [stage.site(0)]);
  return stage;
}

tell('join-gate', 'a node that has not met all members yet does not publish', (without) => {
  const stage = third(without).run(1);
  stage.publish(2, 'news');
  return stage.run(50);
});

tell('merge-members', 'a node meets the members that its seed names before it is ready', (without) => {
  const stage = third(without);
  stage.until('n3 is ready', () => stage.sim.ledger.readyAt.size === 3);
  stage.publish(2, 'news');
  return stage.run(50);
});

t.test('every rule has its story', async (t) => {
  t.strictSame([...told].sort(), [...RULE_NAMES].sort());
});
