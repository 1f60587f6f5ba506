/**
 * Claim: a Lua callback with one conn:send costs little over the same echo in plain JavaScript on uWebSockets.js. 50 clients keep 8
 * messages of 64 bytes under way each; every echo is checked; CPU time of the server process as the operating system counts
 * it. Ours has everything on that a node has: limits, order per connection, counts.
 *
 *   node bench/lua-callback.mjs [--quick]
 */
import { numberAt, payloadOf } from './clients/payload.mjs';
import { measure, report } from './lib/compare.mjs';
import { CLIENTS, echo, WINDOW } from './lib/echo.mjs';

const SIZE = 64;
const payload = payloadOf(SIZE);
const kind = {
  binary: true,
  message: (n) => payload.number(n),
  isAnswer: (buffer, start, end, n) => end - start === SIZE && numberAt(buffer, start) === n,
};

console.log(`echo: ${CLIENTS} clients, ${WINDOW} messages of ${SIZE} bytes under way each`);
const { plain, lua } = await measure({
  plain: () => echo('echo-bare.mjs', kind),
  lua: () => echo('echo-lua.mjs', kind),
});
console.log(
  `  one Lua callback with one conn:send: ${(lua['us/message'] - plain['us/message']).toFixed(2)} us over plain JavaScript`,
);
report({
  claim: 'echo by a Lua callback with conn:send, against plain JavaScript on uWebSockets.js',
  ours: lua['messages/CPU s'],
  baseline: plain['messages/CPU s'],
  ratio: lua['messages/CPU s'] / plain['messages/CPU s'],
  unit: 'messages per CPU second',
  usOver: lua['us/message'] - plain['us/message'],
});
