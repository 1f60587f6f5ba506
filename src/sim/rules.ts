/**
 * Shows that every rule is needed (`lumesh sim --rules`, `npm run sim:rules`): for each there is a seed that fails without it,
 * and the same seed passes with it. A rule that can be left out without a failing seed would be tested by nothing.
 */
import { RULE_NAMES, RULES, type RuleName } from '../core/rules.js';
import { flagsOf, type Print, runSeed } from './run.js';
import type { Profile, SwarmChoice } from './swarm.js';

/** The faults that most rules are there for come together most often in `races`. */
const PROFILE_OF: Partial<Readonly<Record<RuleName, Profile>>> = {
  // Nodes come while others publish.
  'join-gate': 'rolling',
  // News of a death amid a handshake: in `races` one seed in a thousand meets it.
  'mismatched-announcements-included': 'flaps',
};

/** A seed that failed without the rule when it was last looked for: where a search begins. */
const LIKELY: Readonly<Record<RuleName, number>> = {
  'sync-after-registers': 6,
  settled: 46,
  'versioned-register-ack': 2,
  'all-owners-acknowledge': 3,
  'unsynced-members-included': 1,
  'owner-check': 16,
  'digest-equality': 9,
  'mismatched-announcements-included': 48,
  'lease-wait': 2,
  'holder-clock-from-sending': 32,
  'leases-survive': 9,
  'gen-in-digest': 3,
  'join-gate': 2,
  'merge-members': 11,
};

export interface RuleProof {
  readonly rule: RuleName;
  readonly choice: SwarmChoice;
  /** Null: no seed of those tried failed without the rule. */
  readonly seed: number | null;
  /** What broke without it. */
  readonly broken: string;
  /** The same seed passes when no rule is left out. */
  readonly passesWithAll: boolean;
}

/** Tries `tries` seeds from a likely one on. */
export function proveRule(rule: RuleName, tries: number): RuleProof {
  const first = LIKELY[rule];
  const profile = PROFILE_OF[rule] ?? 'races';
  // The likely seeds are older than patterns; test/sim/patterns.test.ts shows which rules those need.
  const choice = { profile, patterns: false };
  for (let seed = first; seed < first + tries; seed++) {
    const [breach] = runSeed(seed, choice, rule).breaches;
    if (breach === undefined) continue;
    const passesWithAll = runSeed(seed, choice).breaches.length === 0;
    return { rule, choice, seed, broken: `${breach.promise}: ${breach.text}`, passesWithAll };
  }
  return { rule, choice, seed: null, broken: '', passesWithAll: true };
}

export function runRules(tries: number, print: Print): 'passed' | 'failed' {
  let failed = false;
  for (const rule of RULE_NAMES) {
    const { choice, seed, broken, passesWithAll } = proveRule(rule, tries);
    failed ||= seed === null || !passesWithAll;
    print(`${rule} (rule ${RULES[rule].rule}): ${RULES[rule].without}`);
    if (seed === null) print(`  no seed of ${tries} failed without it`);
    else {
      print(`  lumesh sim --seed ${seed}${flagsOf(choice)} --without ${rule}`);
      print(`  ${broken}`);
      if (!passesWithAll) print('  BROKEN: the seed fails with all rules as well');
    }
  }
  return failed ? 'failed' : 'passed';
}
