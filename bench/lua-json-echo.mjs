/**
 * Claim: a script that decodes JSON, looks at a field and answers in JSON, against JavaScript that does the same on uWebSockets.js. 50
 * clients keep 8 messages of about 130 bytes under way each; every answer is checked. For comparison, measured once on a like
 * machine: nginx with ngx_lua, lua-cjson and its WebSocket library took 7.3 us of CPU for each message.
 *
 *   node bench/lua-json-echo.mjs [--quick]
 */
import { measure, report } from './lib/compare.mjs';
import { CLIENTS, echo, WINDOW } from './lib/echo.mjs';

const kind = {
  binary: false,
  message: (n) =>
    Buffer.from(
      JSON.stringify({
        op: 'echo',
        id: n,
        channel: 'user:1001',
        text: 'the quick brown fox jumps over the lazy dog',
        ok: true,
        v: 42.5,
      }),
    ),
  isAnswer(buffer, start, end, n) {
    const { op, id, text } = JSON.parse(buffer.toString('utf8', start, end));
    return op === 'echo' && id === n && text.length === 43;
  },
};

console.log(`JSON echo: ${CLIENTS} clients, ${WINDOW} messages under way each`);
const { plain, lua } = await measure({
  plain: () => echo('echo-bare.mjs', kind, ['json']),
  lua: () => echo('echo-lua.mjs', kind, ['json.lua']),
});
report({
  claim: 'JSON echo by a Lua callback, against plain JavaScript on uWebSockets.js',
  ours: lua['messages/CPU s'],
  baseline: plain['messages/CPU s'],
  ratio: lua['messages/CPU s'] / plain['messages/CPU s'],
  unit: 'messages per CPU second',
  usPerMessage: lua['us/message'],
});
