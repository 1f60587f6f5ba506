/** `lumesh sim`: the simulator as a tool. */
import { runSim } from '../sim/run.js';
import { CommandError, EXIT } from './exit.js';

interface SimulateOptions {
  readonly seeds: number;
  readonly seed?: number;
  readonly nodes?: number;
  readonly without?: string;
}

/** Fails with exit code 1 when a seed fails, and 2 for a rule that there is not. */
export function simulate(options: SimulateOptions, print: (text: string) => void): void {
  const outcome = runSim(options, print);
  if (outcome === 'unknown-rule')
    throw new CommandError(EXIT.usage, `there is no rule "${options.without}"; the known ones are listed above`);
  if (outcome === 'failed')
    throw new CommandError(EXIT.refused, 'a guarantee was broken; the command above replays it');
}
