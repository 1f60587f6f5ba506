/** A rule shown to be needed: a story that keeps every promise with all rules, and breaks one when that rule is left out. */
import t from 'tap';
import type { RuleName } from '../../src/core/rules.js';
import type { Stage } from './stage.js';

export function needed(rule: RuleName, title: string, story: (without?: RuleName) => Stage): void {
  t.test(`${title} (without: ${rule})`, async (t) => {
    t.strictSame(story().end(), [], 'with all rules nothing is broken');
    const stage = story(rule);
    t.not(stage.end().length, 0, 'without it something is');
    t.comment(stage.breaches[0]);
  });
}
