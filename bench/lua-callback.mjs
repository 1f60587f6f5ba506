/**
 * Claim: a Lua callback with one conn:send costs little over the same echo in plain JavaScript on uWebSockets.js. 50 clients keep 8
 * messages of 64 bytes under way each; every echo is checked; CPU time of the server process as the operating system counts
 * it. Ours has everything on that a node has: limits, order per connection, counts.
 * Twice: each message in a packet of its own, and eight in one packet, where almost nothing of the kernel is left in the
 * figure and the ratio is that of the callback itself to uWebSockets.js.
 *
 *   node bench/lua-callback.mjs [--quick]
 */
import { numberAt, payloadOf } from './clients/payload.mjs';
import { measure } from './lib/compare.mjs';
import { CLIENTS, echo, script, WINDOW } from './lib/echo.mjs';

const SIZE = 64;
const payload = payloadOf(SIZE);

async function compare(gathered, how) {
  const kind = {
    gathered,
    binary: true,
    message: (n) => payload.number(n),
    isAnswer: (buffer, start, end, n) => end - start === SIZE && numberAt(buffer, start) === n,
  };
  console.log(`echo: ${CLIENTS} clients, ${WINDOW} messages of ${SIZE} bytes under way each, ${how}`);
  const { plain, lua } = await measure({
    plain: () => echo(() => script('echo-bare.mjs'), kind),
    lua: () => echo(() => script('echo-lua.mjs'), kind),
  });
  const usOver = lua['us/message'] - plain['us/message'];
  console.log(`  one Lua callback with one conn:send: ${usOver.toFixed(2)} us over plain JavaScript`);
  return {
    claim: `echo by a Lua callback with conn:send, against plain JavaScript on uWebSockets.js, ${how}`,
    ours: lua['messages/CPU s'],
    baseline: plain['messages/CPU s'],
    ratio: lua['messages/CPU s'] / plain['messages/CPU s'],
    unit: 'messages per CPU second',
    usOver,
  };
}

const results = [await compare(false, 'one message a packet'), await compare(true, 'eight messages a packet')];
console.log(JSON.stringify(results));
