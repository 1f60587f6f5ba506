/** mix.json_encode, mix.json_decode and the constants that JSON needs beside Lua's own values. */

import { JsonDecoder } from './json-decode.js';
import { JsonEncoder } from './json-encode.js';
import type { MakeModule } from './module.js';

/** Makes the constants readable: print(mix.null) shows null, mix.empty_array has no elements. They share one metatable. */
const LUA = `
local null, empty = mix.null, mix.empty_array
local next, error, tostring, type = next, error, tostring, type
debug.setmetatable(null, {
  __metatable = false,
  __tostring = function(value) return value == null and "null" or "[]" end,
  __len = function(value)
    if value == empty then return 0 end
    error("attempt to get length of mix.null", 2)
  end,
  __index = function(value, key)
    if value == empty then return nil end
    error("attempt to index mix.null (field '" .. tostring(key) .. "')", 2)
  end,
  __pairs = function(value)
    if value == empty then return next, {} end
    error("attempt to iterate over mix.null", 2)
  end,
})
`;

export const json: MakeModule = ({ stack }) => {
  const encoder = new JsonEncoder(stack);
  const decoder = new JsonDecoder(stack);
  return {
    functions: {
      'mix.json_encode'(L) {
        stack.setTop(L, 1);
        const problem = encoder.encode(L);
        if (problem !== null) return stack.pushFailure(L, problem);
        stack.pushBytes(L, encoder.out, encoder.length);
        return 1;
      },
      'mix.json_decode'(L) {
        const pointer = stack.toLString(L, 1);
        // Raises "bad argument" for what is no string.
        if (pointer === 0) stack.checkBytes(L, 1);
        const problem = decoder.decode(L, pointer, stack.lastLength());
        return problem === null ? 1 : stack.pushFailure(L, problem);
      },
    },
    constants: {
      'mix.null': (L) => stack.pushNull(L),
      'mix.empty_array': (L) => stack.pushEmptyArrayConstant(L),
    },
    lua: { name: 'json', text: LUA },
  };
};
