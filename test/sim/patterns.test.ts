/**
 * Patterns: seeds of each kind of trouble in which clients subscribe to them, and the rules that they need, each with the
 * shortest story in which its absence loses something. They need no sync mark (rule 6): whoever announced its view has told
 * its patterns before.
 */
import t from 'tap';
import { patternName } from '../../src/core/pattern.js';
import type { RuleName } from '../../src/core/rules.js';
import { flagsOf, runSeed } from '../../src/sim/run.js';
import type { Profile, Swarm } from '../../src/sim/swarm.js';
import { needed } from './needed.js';
import { Stage } from './stage.js';

const SEEDS: readonly (readonly [Profile, number])[] = [
  ['mixed', 12],
  ['races', 6],
  ['one-way', 6],
  ['four', 6],
  ['rolling', 6],
];

for (const [profile, count] of SEEDS) {
  t.test(`the guarantee holds for patterns in seeds of the profile ${profile}`, async (t) => {
    const choice = { profile, patterns: true };
    for (let seed = 1; seed <= count; seed++) {
      const { breaches, pairs } = runSeed(seed, choice);
      t.not(pairs, 0);
      for (const { promise, text } of breaches.slice(0, 1))
        t.fail(`${promise}: ${text}; replay it: lumesh sim --seed ${seed}${flagsOf(choice)}`);
    }
  });
}

const ROOMS = patternName('room.*');
const TUNING: Swarm['tuning'] = { profile: 'local', replicateAllUpTo: 0, replicas: 1 };

function mesh(nodes: number, without: RuleName | undefined): Stage {
  return new Stage({ nodes, tuning: TUNING }, without).ready().run(100);
}

needed(
  'all-owners-acknowledge',
  'a pattern that one member has not heard of is not acknowledged: that member may publish',
  (without) => {
    const stage = mesh(4, without);
    stage.hold(0, 3);
    stage.subscribe(0, ROOMS);
    stage.run(50);
    stage.publish(3, 'room.1');
    return stage.run(100).release(0, 3);
  },
);

needed(
  'mismatched-announcements-included',
  'a node that lost its session with a pattern’s node sends to it until that has announced itself again',
  (without) => {
    const stage = mesh(4, without);
    const channel = stage.channelOwnedBy(3);
    stage.subscribed(0, patternName('*'));
    stage.sim.cluster.reset(stage.site(0), stage.site(1));
    // Both have noticed, and n1 has begun to dial.
    stage.run(1.5).hold(0, 1).run(20);
    stage.publish(1, channel);
    return stage.run(100).release(0, 1);
  },
);

needed(
  'versioned-register-ack',
  'the late acknowledgement of a pattern’s end is not taken for that of the subscribe that followed it',
  (without) => {
    const stage = mesh(3, without);
    stage.subscribed(0, ROOMS);
    // Somebody else has it as well, so n1 goes on knowing the pattern.
    stage.subscribed(1, ROOMS);
    stage.hold(2, 0);
    stage.unsubscribe(0, ROOMS);
    stage.run(50).hold(0, 2);
    stage.subscribe(0, ROOMS);
    stage.run(10).release(2, 0).run(50);
    stage.publish(2, 'room.1');
    return stage.run(50).release(0, 2);
  },
);

/** n2 has a pattern; later n3 begins, with n1 as its seed. Nothing excuses a miss here: only graceful things happen. */
function third(without: RuleName | undefined): Stage {
  const stage = new Stage({ nodes: 2, tuning: { ...TUNING, replicateAllUpTo: 8 }, lossless: true }, without).ready();
  stage.subscribed(1, ROOMS);
  stage.run(5000);
  stage.sim.cluster.start(stage.sim.cluster.addSite(), [stage.site(0)]);
  return stage;
}

needed(
  'join-gate',
  'a node that has not met all members yet knows not all patterns, and does not publish',
  (without) => {
    const stage = third(without).run(1);
    stage.publish(2, 'room.1');
    return stage.run(50);
  },
);

needed(
  'merge-members',
  'a node hears the patterns of the members that its seed names before it is ready',
  (without) => {
    const stage = third(without);
    stage.until('n3 is ready', () => stage.sim.ledger.readyAt.size === 3);
    stage.publish(2, 'room.1');
    return stage.run(50);
  },
);
