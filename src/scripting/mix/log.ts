/** `mix.log` and its levels. */
import type { Log } from '../../core/ports.js';
import { ScriptError } from '../stack.js';
import type { MakeModule } from './module.js';

const LEVELS: readonly (keyof Log)[] = ['debug', 'info', 'warn', 'error'];
/** A line is for people; what is longer is cut. */
const LONGEST_LINE = 8192;

export const log: MakeModule = ({ stack, log, where }) => ({
  functions: {
    'mix.log'(L) {
      const level = LEVELS[stack.checkNumber(L, 1)];
      if (level === undefined)
        throw new ScriptError("bad argument #1 to 'log' (mix.DEBUG, INFO, WARN or ERROR expected)");
      const text = stack.describe(L, 2);
      log[level](text.length > LONGEST_LINE ? `${text.slice(0, LONGEST_LINE)}…` : text, { script: where(L) });
      return 0;
    },
  },
  constants: Object.fromEntries(
    LEVELS.map((name, level) => [`mix.${name.toUpperCase()}`, (L: number) => stack.pushCount(L, level)]),
  ),
});
