/** JSON values of JavaScript as Lua values: for context values that come from the API. */
import type { Stack } from './stack.js';

const MAX_DEPTH = 32;

/** Pushes what JSON.parse gives. Null is nil at the top and mix.null inside; whole numbers are integers. */
export function pushJson(stack: Stack, L: number, value: unknown, depth = 0): void {
  stack.checkStack(L, 4);
  if (value === null || value === undefined || depth > MAX_DEPTH) {
    if (depth === 0) stack.pushNil(L);
    else stack.pushNull(L);
  } else if (typeof value === 'string') stack.pushText(L, value);
  else if (typeof value === 'boolean') stack.pushBoolean(L, value ? 1 : 0);
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) stack.pushCount(L, value);
    else stack.pushNumber(L, value);
  } else if (Array.isArray(value)) {
    if (value.length === 0) return stack.pushEmptyArray(L);
    stack.createTable(L, value.length, 0);
    value.forEach((item, i) => {
      pushJson(stack, L, item, depth + 1);
      stack.rawSetI(L, -2, BigInt(i + 1));
    });
  } else {
    stack.createTable(L, 0, 8);
    for (const [key, item] of Object.entries(value as object)) {
      pushJson(stack, L, item, depth + 1);
      stack.setField(L, key);
    }
  }
}
