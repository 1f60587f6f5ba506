/** `lumesh sim`: the simulator as a tool. */
import { runRules } from '../sim/rules.js';
import { runSim } from '../sim/run.js';
import { CommandError, EXIT } from './exit.js';

interface SimulateOptions {
  readonly seeds: number;
  readonly from?: number;
  readonly seed?: number;
  readonly nodes?: number;
  readonly profile?: string;
  readonly patterns?: boolean;
  readonly without?: string;
  /** Show for each rule that some seed fails without it. */
  readonly rules?: boolean;
}

/** Seeds tried for each rule. */
const RULE_TRIES = 500;

/** Fails with exit code 1 when a seed fails, and 2 for a rule that there is not. */
export function simulate(options: SimulateOptions, print: (text: string) => void): void {
  const outcome = options.rules ? runRules(RULE_TRIES, print) : runSim(options, print);
  if (outcome === 'unknown-rule')
    throw new CommandError(EXIT.usage, `there is no rule "${options.without}"; the known ones are listed above`);
  if (outcome === 'unknown-profile')
    throw new CommandError(EXIT.usage, `there is no profile "${options.profile}"; the known ones are listed above`);
  if (outcome === 'failed')
    throw new CommandError(EXIT.refused, 'a guarantee was broken; the command above replays it');
}
