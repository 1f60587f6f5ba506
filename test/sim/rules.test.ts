/** The rules that cannot be left out (ROUTING.md, last table): for each the shortest story in which its absence loses something. */
import t from 'tap';
import type { RuleName } from '../../src/core/rules.js';
import { Stage } from './stage.js';

const ONE_OWNER = { profile: 'local', replicateAllUpTo: 0, replicas: 1, lingerMs: 200, healMs: 1000 } as const;

/** The story keeps every promise, and breaks one when that rule is left out. */
function needed(rule: RuleName, title: string, story: (without?: RuleName) => Stage): void {
  t.test(`${title} (${rule})`, async (t) => {
    t.strictSame(story().end(), [], 'with all rules nothing is broken');
    const without = story(rule);
    t.not(without.end().length, 0, 'without it something is');
    t.comment(without.breaches[0]);
  });
}

needed(
  'mismatched-announcements-included',
  'a node that wrongly takes the owner for dead is sent to although the owner no longer answers for it',
  (without) => {
    const stage = new Stage({ nodes: 4, tuning: ONE_OWNER }, without).ready();
    const { cluster, network } = stage.sim;
    const channel = stage.channelOwnedBy(3);
    stage.run(100);
    cluster.hold(stage.site(0), stage.site(3));
    // n3 believes the rumour, but its own word of it reaches n2 late.
    cluster.hold(stage.site(2), stage.site(1));
    const watch = network.watch;
    network.watch = (to, from, lane, frames, sentAt) => {
      watch(to, from, lane, frames, sentAt);
      if (frames[0].kind === 'hello' && to === stage.node(1).endpoint) cluster.accuse(stage.site(0), stage.site(3));
    };
    cluster.reset(stage.site(0), stage.site(1));
    stage.until('n1 has removed n4', () => stage.node(0).mesh.members().length === 2);
    stage.subscribed(0, channel);
    stage.publish(1, channel);
    stage.run(100);
    cluster.release(stage.site(0), stage.site(3));
    cluster.release(stage.site(2), stage.site(1));
    return stage;
  },
);
