/** `mix.log` and its levels. */
import type { Log } from '../../core/ports.js';
import { ScriptError, type Stack } from '../stack.js';
import type { MakeModule } from './module.js';

const LEVELS: readonly (keyof Log)[] = ['debug', 'info', 'warn', 'error'];
/** A line is for people; what is longer is cut, before it takes this process's memory. */
const LONGEST_LINE = 8192;

/** Any value as one line of the log. */
export function line(stack: Stack, L: number, at: number): string {
  const pointer = stack.lua.luaL_tolstring(L, at, 0);
  const length = stack.rawLength(L, -1);
  const text = stack.decode(pointer, Math.min(length, LONGEST_LINE));
  stack.setTop(L, -2);
  return length > LONGEST_LINE ? `${text}…` : text;
}

export const log: MakeModule = ({ stack, log, where }) => ({
  functions: {
    'mix.log'(L) {
      const level = LEVELS[stack.checkNumber(L, 1)];
      if (level === undefined)
        throw new ScriptError("bad argument #1 to 'log' (mix.DEBUG, INFO, WARN or ERROR expected)");
      log[level](line(stack, L, 2), { script: where(L) });
      return 0;
    },
  },
  constants: Object.fromEntries(
    LEVELS.map((name, level) => [`mix.${name.toUpperCase()}`, (L: number) => stack.pushCount(L, level)]),
  ),
});
