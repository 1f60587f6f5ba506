/**
 * Claim: a script that decodes JSON, looks at a field and answers in JSON is ahead of OpenResty's way (nginx with ngx_lua on LuaJIT,
 * lua-cjson and its WebSocket library), and not far from JavaScript that does the same on uWebSockets.js. 50 clients keep 8
 * messages of about 130 bytes under way each, all that are free in one packet; every answer is checked; CPU time of the
 * server process as the operating system counts it.
 *
 *   node bench/lua-json-echo.mjs [--quick]
 */
import { measure } from './lib/compare.mjs';
import { CLIENTS, echo, script, WINDOW } from './lib/echo.mjs';
import { nginxMissing, startNginx } from './systems/nginx.mjs';

const kind = {
  gathered: true,
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

const sides = {
  plain: () => echo(() => script('echo-bare.mjs', 'json'), kind),
  lua: () => echo(() => script('echo-lua.mjs', 'json.lua'), kind),
};
const missing = nginxMissing();
if (missing === null) sides.nginx = () => echo(() => startNginx('json-nginx.lua'), kind);

console.log(`JSON echo: ${CLIENTS} clients, ${WINDOW} messages under way each`);
const { plain, lua, nginx } = await measure(sides);
const against = (claim, other) => ({
  claim,
  ours: lua['messages/CPU s'],
  baseline: other['messages/CPU s'],
  ratio: lua['messages/CPU s'] / other['messages/CPU s'],
  unit: 'messages per CPU second',
  usPerMessage: lua['us/message'],
});
const claim = 'JSON echo by a Lua callback, against nginx with ngx_lua, lua-cjson and its WebSocket library';
console.log(
  JSON.stringify([
    nginx === undefined ? { claim, missing } : against(claim, nginx),
    against('JSON echo by a Lua callback, against plain JavaScript on uWebSockets.js', plain),
  ]),
);
