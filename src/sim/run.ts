/** `lumesh sim`: runs seeds, and tells the story of the first one that breaks a promise. */
import { RULE_NAMES, RULES, type RuleName } from '../core/rules.js';
import { type Outcome, Simulation } from './simulation.js';
import { drawSwarm, PROFILES, type Profile, type SwarmChoice } from './swarm.js';
import { tell } from './transcript.js';

export interface SimOptions {
  /** How many seeds, one after the other. */
  readonly seeds: number;
  /** The first of them; else 1. */
  readonly from?: number;
  /** Only this one, with its transcript. */
  readonly seed?: number;
  readonly nodes?: number;
  readonly profile?: string;
  readonly patterns?: boolean;
  readonly without?: string;
}

export type Print = (text: string) => void;

export type SimEnd = 'passed' | 'failed' | 'unknown-rule' | 'unknown-profile';

/** Prints as it goes; of what is unknown, the known ones. */
export function runSim(options: SimOptions, print: Print): SimEnd {
  const { without, profile, nodes, patterns, from = 1 } = options;
  if (without !== undefined && !isRule(without)) {
    print('The rules that can be left out:');
    for (const name of RULE_NAMES) print(`  ${name.padEnd(36)}rule ${RULES[name].rule}: ${RULES[name].without}`);
    return 'unknown-rule';
  }
  const choice: SwarmChoice = { nodes, profile: profile as Profile | undefined, patterns };
  if (profile !== undefined && !PROFILES.includes(profile as Profile)) {
    print(`The profiles: ${PROFILES.join(', ')}`);
    return 'unknown-profile';
  }
  if (options.seed !== undefined) return replay(options.seed, choice, without, print);
  const totals = { publishes: 0, pairs: 0, reported: 0, ms: 0, steps: 0 };
  for (let done = 0; done < options.seeds; ) {
    const seed = from + done;
    const outcome = runSeed(seed, choice, without);
    if (outcome.breaches.length > 0) return replay(seed, choice, without, print);
    totals.publishes += outcome.publishes;
    totals.pairs += outcome.pairs;
    totals.reported += outcome.reported;
    totals.ms += outcome.ms;
    totals.steps += outcome.steps;
    if (++done % 1000 === 0) print(`${done} seeds, ${totals.pairs} pairs …`);
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

/** Runs the seed with every line kept, and tells its story. */
function replay(seed: number, choice: SwarmChoice, without: RuleName | undefined, print: Print): 'passed' | 'failed' {
  const swarm = drawSwarm(seed, choice);
  const simulation = new Simulation(swarm, without, true);
  const { breaches, hash } = simulation.run();
  tell(swarm, simulation.trace.lines, breaches, print);
  print(`seed ${seed}, trace ${hash}`);
  if (breaches.length === 0) {
    print('every promise was kept');
    return 'passed';
  }
  const left = without === undefined ? '' : ` --without ${without}`;
  print(`replay it: lumesh sim --seed ${seed}${flagsOf(choice)}${left}`);
  return 'failed';
}

/** The choice as the command line takes it. */
export function flagsOf({ nodes, profile, patterns }: SwarmChoice): string {
  return [
    nodes === undefined ? '' : ` --nodes ${nodes}`,
    profile === undefined ? '' : ` --profile ${profile}`,
    patterns === undefined ? '' : patterns ? ' --patterns' : ' --no-patterns',
  ].join('');
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
