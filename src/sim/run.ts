/** `lumesh sim`: runs seeds, and tells the story of the first one that breaks a promise. */
import { RULE_NAMES, RULES, type RuleName } from '../core/rules.js';
import { type Outcome, Simulation } from './simulation.js';
import { drawSwarm, PROFILES, type Profile, type SwarmChoice } from './swarm.js';
import { tell } from './transcript.js';

export interface SimOptions {
  /** How many seeds, one after the other from `seed` on. */
  readonly seeds: number;
  readonly seed?: number;
  readonly nodes?: number;
  readonly profile?: string;
  readonly without?: string;
}

export type Print = (text: string) => void;

/** Prints as it goes. `unknown-rule`: the known ones were listed. */
export function runSim(options: SimOptions, print: Print): 'passed' | 'failed' | 'unknown-rule' {
  const { without, profile, nodes } = options;
  if (without !== undefined && !isRule(without)) {
    print('The rules that can be left out:');
    for (const name of RULE_NAMES) print(`  ${name.padEnd(36)}rule ${RULES[name].rule}: ${RULES[name].without}`);
    return 'unknown-rule';
  }
  const choice: SwarmChoice = { nodes, profile: profile as Profile | undefined };
  if (profile !== undefined && !PROFILES.includes(profile as Profile)) {
    print(`There is no profile "${profile}"; the known ones are ${PROFILES.join(', ')}.`);
    return 'failed';
  }
  const first = options.seed ?? 1;
  const totals = { publishes: 0, pairs: 0, reported: 0, ms: 0, steps: 0 };
  for (let seed = first; seed < first + options.seeds; seed++) {
    const outcome = runSeed(seed, choice, without);
    if (outcome.breaches.length > 0) {
      tellFailure(seed, choice, without, print);
      return 'failed';
    }
    totals.publishes += outcome.publishes;
    totals.pairs += outcome.pairs;
    totals.reported += outcome.reported;
    totals.ms += outcome.ms;
    totals.steps += outcome.steps;
    if (options.seeds === 1) print(`trace ${outcome.hash}`);
    else if ((seed - first + 1) % 1000 === 0) print(`${seed - first + 1} seeds, ${totals.pairs} pairs …`);
  }
  print(summary(options.seeds, totals));
  return 'passed';
}

export function isRule(name: string): name is RuleName {
  return (RULE_NAMES as readonly string[]).includes(name);
}

export function runSeed(seed: number, choice: SwarmChoice = {}, without?: RuleName): Outcome {
  return new Simulation(drawSwarm(seed, choice), without).run();
}

/** Repeats the seed with every line kept, and prints what matters of it. */
function tellFailure(seed: number, choice: SwarmChoice, without: RuleName | undefined, print: Print): void {
  const swarm = drawSwarm(seed, choice);
  const simulation = new Simulation(swarm, without, true);
  const { breaches, hash } = simulation.run();
  tell(swarm, simulation.trace.lines, breaches, print);
  const flags = [
    choice.nodes === undefined ? '' : ` --nodes ${choice.nodes}`,
    choice.profile === undefined ? '' : ` --profile ${choice.profile}`,
    without === undefined ? '' : ` --without ${without}`,
  ].join('');
  print(`seed ${seed}, trace ${hash}`);
  print(`replay it: lumesh sim --seeds 1 --seed ${seed}${flags}`);
}

function summary(
  seeds: number,
  {
    publishes,
    pairs,
    reported,
    ms,
    steps,
  }: { publishes: number; pairs: number; reported: number; ms: number; steps: number },
): string {
  const hours = (ms / 3_600_000).toFixed(1);
  return (
    `${seeds} seeds passed: ${hours} hours of virtual time, ${steps} events, ${publishes} publishes, ` +
    `${pairs} pairs of a publish and a subscriber that it was owed to, ${reported} misses, all of them reported`
  );
}
