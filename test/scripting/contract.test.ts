/**
 * Every function of docs/lua.md, called as documented from a callback of a websocket and of a socket server, with the whole list of what it
 * returns: how many values, of which types.
 */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { schema } from '../../src/config/schema.js';
import { claimPort } from '../ports.js';
import { FakeHost } from './fake-host.js';
import { lab } from './lab.js';
import { hasRedis, RedisServer } from './mix/redis-server.js';

/** Messages are Lua code; the answer lists what it returned. Callbacks of both kinds of server; each uses its own. */
const ENTRY = `
local function show(value)
  if type(value) == "string" then return '"' .. value .. '"' end
  if type(value) == "table" then return mix.json_encode(value) end
  return value == mix.null and "null" or math.type(value) == "float" and "float " .. value or tostring(value)
end
local function list(ok, ...)
  if not ok then return "raised " .. tostring((...)) end
  local shown = table.pack(...)
  for i = 1, shown.n do shown[i] = show(shown[i]) end
  return table.concat(shown, ", ")
end
function on_message(msg)
  conn = mix.websocket() or mix.socket.tcp()
  local code, problem = load(type(msg) == "table" and msg.data or msg, "=code")
  local answer = code and list(pcall(code)) or problem
  mix.connection(conn:client_id()):send(answer, "binary")
end
function protocol_input(b)
  buf = list(true, b:length(), b:position(), b:read(3), b:position(), b:tostring(), b:read(1000))
  return b:length()
end
function protocol_decode(str) return str end`;

const token = (() => {
  const signed = ['{"alg":"HS256"}', '{"sub":"u1"}'].map((part) => Buffer.from(part).toString('base64url')).join('.');
  return `${signed}.${createHmac('sha256', 'secret').update(signed).digest('base64url')}`;
})();

type Row = readonly [code: string, returns: string | RegExp];

const PURE: readonly Row[] = [
  ['return mix.json_encode({ 1, 1.5, "x", true, mix.null, mix.empty_array, {} })', '"[1,1.5,"x",true,null,[],{}]"'],
  ['return mix.json_encode(print)', /^nil, ".*function/],
  ['return mix.json_decode("[9007199254740993, 1.5]")', '[9007199254740993,1.5]'],
  ['return mix.json_decode("9223372036854775807")', '9223372036854775807'],
  ['return mix.json_decode("null")', 'nil'],
  [`return mix.json_decode('{"a":null}').a`, 'null'],
  ['return mix.json_decode("{")', /^nil, "/],
  ['return mix.base64_encode("a\\0\\255"), mix.base64_decode("YQD/")', '"YQD/", "a\0\xff"'],
  ['return mix.base64_decode("?")', /^nil, "/],
  ['return mix.php_pack("nvC*", 0x1234, 0x5678, 65, 66)', '"\x124\x78\x56AB"'],
  [
    `for code in ("aAZhH"):gmatch(".") do assert(mix.php_unpack(code .. "2k", mix.php_pack(code .. "2", "41")).k) end
     for code in ("cCsSnvlLNVqQJPfdeEgG"):gmatch(".") do assert(mix.php_unpack(code .. "k", mix.php_pack(code, 7)).k == 7, code) end
     return mix.php_pack("CxCXC@6", 1, 2, 3)`,
    '"\x01\0\x03\0\0\0"',
  ],
  ['return mix.php_unpack("Nid", "\\0\\0\\1\\0")', '{"id":256}'],
  ['return mix.php_unpack("N", "")', /^nil, "/],
  ['return mix.str_split("a,,b", ",")', '["a","","b"]'],
  ['return mix.parse_str("b[]=1&b[]=x+y")', '{"b":["1","x y"]}'],
  ['return mix.parse_str("id[9007199254740993]=x").id[9007199254740993]', '"x"'],
  [
    'local u = mix.parse_url("http://me@h:1/p?q=1#f") return u.scheme, u.user, u.host, u.path, u.raw_query, u.query, u.fragment',
    '"http", "me", "h:1", "/p", "q=1", {"q":"1"}, "f"',
  ],
  ['return mix.parse_url("http://x:y")', /^nil, "/],
  ['return mix.bytes_tostring({ 104, 105 })', '"hi"'],
  [
    'return mix.md5("a"), mix.md5_bin("a") == mix.bytes_tostring(mix.php_unpack("C*", mix.php_pack("H*", mix.md5("a"))))',
    '"0cc175b9c0f1b6a831c399e269772661", true',
  ],
  ['return mix.sha1("a"), #mix.sha1_bin("a")', '"86f7e437faa5a7fce15d1ddcb9eaeaea377667b8", 20'],
  ['return #mix.sha256(""), #mix.hmac_sha256("k", "s"), #mix.uuid(), math.type(mix.now_ms())', '64, 64, 36, "integer"'],
  [`return mix.jwt_verify("${token}", "secret", { algorithms = "HS256" })`, '{"sub":"u1"}'],
  [`return mix.jwt_verify("${token}", "other")`, /^nil, "/],
  [
    'return mix.log(mix.DEBUG, "d"), mix.log(mix.INFO, {}), mix.log(mix.WARN, 1), mix.ERROR > mix.WARN',
    'nil, nil, nil, true',
  ],
  ['return print("x", { 1 })', ''],
  ['return bit.tobit(0xffffffff), bit.tohex(255), bit.tohex(255, -4), bit.bnot(0)', '-1, "000000ff", "00FF", -1'],
  ['return bit.band(6, 3, 2), bit.bor(1, 2, 4), bit.bxor(1, 3), bit.bswap(0x12345678)', '2, 7, 2, 2018915346'],
  [
    'return bit.lshift(1, 31), bit.rshift(-1, 28), bit.arshift(-16, 2), bit.rol(0x12345678, 8), bit.ror(1, 1)',
    '-2147483648, 15, -4, 878082066, -2147483648',
  ],
  ['return table.getn({ 1, 2 }), table.maxn({ [9] = 1 }), unpack({ 1, "b" })', '2, 9, 1, "b"'],
  ['return loadstring("return ...")(5), math.pow(2, 3), math.mod(7, 3)', /^5, (float )?8(\.0)?, (float )?1(\.0)?$/],
  ['return loadstring("=")', /^nil, "/],
  ['local out = {} for w in string.gfind("a b", "%a") do out[#out + 1] = w end return out', '["a","b"]'],
  ['local f = setfenv(loadstring("return x"), { x = 7 }) return f(), getfenv(f).x, getfenv(1) == _G', '7, 7, true'],
];

const HERE: readonly Row[] = [
  ['return mix.server.option("path"), mix.server.option("n"), mix.server.option("none")', '"/x", 3, nil'],
  ['return mix.connection("99")', /^nil, "no connection 99/],
  ['return conn:client_id(), conn:remote_addr()', '"1001", "127.0.0.1:40000"'],
  ['return conn:context()', '{}'],
  ['return conn:set_context({ a = { 1 } })', ''],
  ['return conn:context(), conn:context_value("a"), conn:context_value("b")', '{"a":[1]}, [1], nil'],
  ['return conn:set_context_value("k", "v")', ''],
  [
    'return conn:wait_context_value("k"), conn:wait_context_value("k", 5), conn:wait_context_value("none", 0)',
    '"v", "v", nil',
  ],
  [
    'mix.timer.after(0, function() conn:set_context_value("late", true) end) return conn:wait_context_value("late", 30)',
    'true',
  ],
  ['return conn:subscribe("a", "ü")', 'nil'],
  ['return conn:subscribe("a b")', /^"/],
  ['return conn:unsubscribe("a")', 'nil'],
  ['return conn:unsubscribe()', 'nil'],
  ['return conn:psubscribe("a.*", "*ü")', 'nil'],
  ['return conn:psubscribe("a *")', /^"a pattern must not contain white space/],
  ['return conn:psubscribe()', '"no pattern was named"'],
  ['return conn:punsubscribe("a.*")', 'nil'],
  ['return conn:punsubscribe()', 'nil'],
  ['return conn:send("sent before")', 'nil'],
  ['return conn:clear_buffer()', ''],
  [
    'return mix.mesh.send("1001", "x"), mix.mesh.send("1001", "x", "binary"), mix.mesh.send("99", "x")',
    'nil, nil, "no such connection"',
  ],
  ['return mix.mesh.publish("c", "x")', '1, 0'],
  ['return mix.mesh.publish("c", "\\255", "binary")', '1, 0'],
  ['return mix.mesh.publish_nowait("c", "x", "text")', 'nil'],
  ['return mix.queue.push("t", { id = 1 })', /^[1-9]$/],
  ['return mix.queue.push("full", 1)', 'nil, "queue full"'],
  ['return mix.redis.connection("none")', /^nil, "/],
  [
    'local id = mix.timer.after(60, print) return math.type(id), mix.timer.cancel(id), mix.timer.cancel(id)',
    '"integer", true, false',
  ],
  ['local id = mix.timer.every(60, print) return math.type(id), mix.timer.cancel(id)', '"integer", true'],
  ['return mix.http.request("GET", "http://127.0.0.1:1/")', /^nil, "/],
];

const REDIS: readonly Row[] = [
  [
    'redis = mix.redis.connection("main") return redis:command("set", "k", "v"), (redis:command("get", "k"))',
    '"OK", "v"',
  ],
  ['return redis:command("get", "none")', 'nil'],
  ['return redis:command("nonsense")', /^nil, "/],
];

const WEBSOCKET: readonly Row[] = [
  ['return mix.websocket():client_id(), mix.socket.tcp()', '"1001", nil, "this is a websocket server"'],
  ['return conn:send("\\0\\255", "binary"), conn:send("x", "text"), (conn:send("\\255") ~= nil)', 'nil, nil, true'],
];
const SOCKET: readonly Row[] = [
  ['return mix.socket.tcp():client_id(), mix.websocket()', '"1001", nil, "this is a socket server"'],
  ['return buf', /^"\d+, 0, "ret", 3, "return buf", nil, ".*"$/],
];
/** The last one of a connection: told through the log, since nothing can be sent any more. */
const CLOSE = 'print(select("#", conn:close(1000, "done")), conn:send("x"))';

const redis = new RedisServer(await claimPort());
if (hasRedis) await redis.start();
const web = createServer((request, response) => {
  response.setHeader('Set-Cookie', 'a=1');
  response.writeHead(201).end(`${request.method} ${request.url} ${request.headers.authorization}`);
}).listen(0, '127.0.0.1');
await once(web, 'listening');
t.teardown(async () => {
  await redis.stop();
  web.close();
  web.closeAllConnections();
});
const url = `http://127.0.0.1:${(web.address() as AddressInfo).port}/p`;
const HTTP: readonly Row[] = [
  [
    `local r, err = mix.http.request("PUT", "${url}", { query = { q = 1 }, cookies = { c = "d" }, body = "b", headers = { X = "y" }, timeout = "30s",
       auth = { username = "u", password = "p" } })
     return r.body, r.body_size, r.headers["Set-Cookie"], r.cookies, r.status_code, r.url, err`,
    `"PUT /p?q=1 Basic dTpw", 21, "a=1", {"a":"1"}, 201, "${url}?q=1", nil`,
  ],
];

for (const protocol of ['websocket', 'socket'] as const) {
  t.test(`a ${protocol} server: every function returns what the contract says`, async (t) => {
    const { script, host, say, connect } = await lab(
      t,
      ENTRY,
      {
        protocol,
        options: Object.entries({ path: '/x', n: 3 }).map(([name, value]) => ({ name, value })),
        redis: schema.parse({ lua: { redis: [{ name: 'main', addr: redis.addr }] } }).lua.redis,
      },
      new FakeHost(),
    );
    const connection = protocol === 'websocket' ? connect('1001') : host.open('1001', 'socket');
    if (protocol === 'socket') script.connected(connection);
    const own = protocol === 'websocket' ? WEBSOCKET : SOCKET;
    for (const [code, returns] of [...PURE, ...HERE, ...HTTP, ...(hasRedis ? REDIS : []), ...own]) {
      connection.sent.length = 0;
      if (protocol === 'websocket') say(connection, code);
      else script.received(connection, Buffer.from(code));
      while (script.stats().waiting > 0) await new Promise(setImmediate);
      const answer = connection.sent.at(-1)?.bytes.toString('latin1') ?? 'nothing';
      if (typeof returns === 'string') t.equal(answer, Buffer.from(returns, 'latin1').toString('latin1'), code);
      else t.match(answer, returns, code);
    }
    t.same(host.errors, []);
    if (protocol === 'websocket') say(connection, CLOSE);
    else script.received(connection, Buffer.from(CLOSE));
    t.same(connection.closes, [{ code: 1000, reason: 'done' }]);
    t.equal(host.lines.at(-1)?.message, '0\tconnection closed');
  });
}

t.test('the rows name every function of the reference', async (t) => {
  const reference = readFileSync(new URL('../../docs/lua.md', import.meta.url), 'utf8');
  const rows = [...PURE, ...HERE, ...REDIS, ...HTTP, ...WEBSOCKET].map(([code]) => code).join('\n') + CLOSE + ENTRY;
  for (const [, name] of reference.matchAll(/^#### (\S+)/gm)) {
    t.ok(rows.includes(name!.replace('buf:', 'b:')), name);
  }
});
