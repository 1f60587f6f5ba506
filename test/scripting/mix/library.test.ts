/** The library as scripts call it: bytes in, bytes out, results and errors as docs/lua.md says. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SignJWT } from 'jose';
import t from 'tap';
import { schema } from '../../../src/config/schema.js';
import { http } from '../../../src/scripting/mix/http.js';
import { json } from '../../../src/scripting/mix/json.js';
import { jwt } from '../../../src/scripting/mix/jwt.js';
import { pure } from '../../../src/scripting/mix/pure.js';
import { redis } from '../../../src/scripting/mix/redis.js';
import { claimPort } from '../../ports.js';
import { BareVm } from './bare-vm.js';
import { hasRedis, RedisServer } from './redis-server.js';

const redisServer = new RedisServer(await claimPort());
const { lua } = schema.parse({ lua: { redis: [{ name: 'main', addr: redisServer.addr }] } });
const vm = await BareVm.open(json, pure, jwt, redis(lua.redis), http(lua.http));
t.teardown(() => vm.close());

/** The results of an expression as JSON, so that tables can be looked at. */
async function results(code: string, ...args: (string | Buffer)[]): Promise<unknown[]> {
  const text = await vm.value(
    `local r = table.pack((function(...) ${code} end)(...))
     for i = 1, r.n do if r[i] == nil then r[i] = mix.null end end
     r.n = nil
     local s, err = mix.json_encode(next(r) and r or mix.empty_array)
     return s or err`,
    ...args,
  );
  return JSON.parse(Buffer.from(text as string, 'latin1').toString());
}
const raised = (code: string) =>
  vm.value(`local ok, err = pcall(function() ${code} end) return not ok and tostring(err)`);

t.test('functions of bytes are exact for every byte', async (t) => {
  const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  t.equal(await vm.value('return mix.base64_decode(mix.base64_encode((...)))', all), all.toString('latin1'));
  t.equal(await vm.value('return mix.bytes_tostring({(...):byte(1, -1)})', all), all.toString('latin1'));
  t.equal(await vm.value('return mix.php_unpack("H*", mix.php_pack("a*", (...)))[1]', all), all.toString('hex'));
  t.equal(
    await vm.value('local s = ... return table.concat(mix.str_split(s, "\\0"), "\\0")', all),
    all.toString('latin1'),
  );
});

t.test('results have the shape that the reference says', async (t) => {
  t.same(await results('return mix.php_unpack("Nlength/a*rest", "\\0\\0\\0\\5ab")'), [{ length: 5, rest: 'ab' }]);
  t.same(await results('return mix.php_unpack("C*", "abc")'), [[97, 98, 99]]);
  t.same(
    await results(
      'return math.type(mix.php_unpack("N", "\\0\\0\\0\\5")[1]), math.type(mix.php_unpack("d", mix.php_pack("d", 1))[1])',
    ),
    ['integer', 'float'],
  );
  t.same(await results('return mix.php_pack("y")'), [null, 'type y: unknown format code']);
  t.same(await results('return mix.str_split("a,b,,c", ",")'), [['a', 'b', '', 'c']]);
  t.same(await results('return mix.parse_str("a=1&b[]=2&b[]=3")'), [{ a: '1', b: ['2', '3'] }]);
  t.same(await results('return mix.parse_url("/chat?token=x%20y&id=7")'), [
    {
      scheme: '',
      user: '',
      host: '',
      path: '/chat',
      raw_query: 'token=x%20y&id=7',
      query: { token: 'x y', id: '7' },
      fragment: '',
    },
  ]);
  t.same(await results('return mix.parse_url("http://a b")'), [
    null,
    'a URL must not contain byte 32, write it as %xx',
  ]);
  t.same(await results('return mix.base64_decode("Zg=")'), [null, 'not base64: 3 digits, expected a multiple of 4']);
  t.same(await results('return mix.md5("abc"), #mix.md5_bin("abc"), mix.sha1("abc"), #mix.sha1_bin("abc")'), [
    '900150983cd24fb0d6963f7d28e17f72',
    16,
    'a9993e364706816aba3e25717850c26c9cd0d89d',
    20,
  ]);
  t.same(
    await results(
      'return mix.sha256("abc"):sub(1, 8), mix.hmac_sha256("Jefe", "what do ya want for nothing?"):sub(1, 8)',
    ),
    ['ba7816bf', '5bdcc146'],
  );
  t.same(await results('return #mix.uuid(), mix.uuid() ~= mix.uuid(), math.type(mix.now_ms())'), [36, true, 'integer']);
});

t.test('a wrong argument is an error in the script', async (t) => {
  t.match(await raised('mix.md5()'), /bad argument #1 .*string expected, got no value/);
  t.match(await raised('mix.base64_encode({})'), /string expected, got table/);
  t.match(await raised('mix.bytes_tostring({1, 300})'), /element 2 is not an integer from 0 to 255/);
  t.match(await raised('mix.bytes_tostring("x")'), /table expected, got string/);
  t.match(
    await raised('mix.php_pack("n", {})'),
    /bad argument #2 to 'php_pack' \(string or number expected, got table\)/,
  );
  t.match(await raised('mix.jwt_verify("a", "b", 5)'), /mix.jwt_verify: argument #3 must be a table, not number/);
  t.match(
    await raised('mix.jwt_verify("a", "b", {clock_tolerance = "x"})'),
    /clock_tolerance must be a number, not string/,
  );
  t.match(await raised('mix.http.request("GET", "http://x", {headers = 5})'), /headers must be a table, not number/);
  t.match(
    await raised('mix.http.request("GET", "http://x", {headers = {a = {}}})'),
    /headers.a must be a string, not table/,
  );
  t.match(await raised('mix.http.request("GET", "http://x", {timeout = "soon"})'), /timeout must be seconds, or like/);
});

t.test('jwt_verify gives the claims with their exact integers', async (t) => {
  const token = await new SignJWT({ sub: 'u1', aud: 'shop' })
    .setProtectedHeader({ alg: 'HS256' })
    .sign(Buffer.from('secret'));
  t.same(await results('return mix.jwt_verify((...), "secret", {audience = {"shop"}, algorithms = "HS256"})', token), [
    { sub: 'u1', aud: 'shop' },
  ]);
  t.same(await results('return mix.jwt_verify((...), "wrong")', token), [null, 'the signature does not match']);
  const [header, payload] = ['{"alg":"HS256"}', '{"id":9007199254740993}'].map((part) =>
    Buffer.from(part).toString('base64url'),
  );
  const { createHmac } = await import('node:crypto');
  const signature = createHmac('sha256', 'secret').update(`${header}.${payload}`).digest('base64url');
  t.equal(
    await vm.value('return mix.jwt_verify((...), "secret").id', `${header}.${payload}.${signature}`),
    9007199254740993n,
  );
});

t.test('http.request gives status, body, headers in any case, cookies', async (t) => {
  const server = createServer((request, response) => {
    response.setHeader('Set-Cookie', ['sid=1; HttpOnly', 'lang=de']);
    response.setHeader('X-Url', request.url ?? '');
    response.writeHead(201).end(Buffer.from([0, 255]));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.closeAllConnections());
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/p`;
  t.same(
    await results(
      `local r, err = mix.http.request("get", (...), { query = { ["a b"] = "ü&" }, timeout = 5 })
       return r.status_code, r.body == "\\0\\255", r.body_size, r.headers["x-url"], r.headers["X-URL"], r.cookies, r.url, err`,
      url,
    ),
    [
      201,
      true,
      2,
      '/p?a%20b=%C3%BC%26',
      '/p?a%20b=%C3%BC%26',
      { sid: '1', lang: 'de' },
      `${url}?a%20b=%C3%BC%26`,
      null,
    ],
  );
  t.same(await results('local r = mix.http.request("GET", (...), { query = "ü=1" }) return r.headers["x-url"]', url), [
    '/p?%C3%BC=1',
  ]);
  t.match(await results('return mix.http.request("GET", "http://127.0.0.1:1/")'), [null, /ECONNREFUSED/]);
});

t.test('redis: an unknown name and a server that is away are errors', async (t) => {
  t.same(await results('return mix.redis.connection("other")'), [
    null,
    'the configuration has no Redis server "other" (lua.redis)',
  ]);
  t.match(await results('return mix.redis.connection("main"):command("ping")'), [
    null,
    /^Redis "main" at .* is not reachable/,
  ]);
  t.match(
    await raised('mix.redis.connection("main"):command("set", {})'),
    /bad argument #2 to 'command' \(string or number expected, got table\)/,
  );
});

if (!hasRedis)
  t.pass('redis-server is not installed, its replies were not tested (apt-get install redis-server)', { skip: true });
else {
  t.test('redis: replies are Lua values', async (t) => {
    await redisServer.start();
    t.teardown(() => redisServer.stop());
    await vm.run('r = mix.redis.connection("main") repeat until r:command("ping") == "PONG"');
    t.same(
      await results(
        'return r:command("set", "k", 5), r:command("get", "k"), r:command("incr", "k"), r:command("get", "no")',
      ),
      ['OK', '5', 6, null],
    );
    t.same(
      await results(
        'r:command("rpush", "l", "a", 1.5) return r:command("lrange", "l", 0, -1), r:command("mget", "k", "no")',
      ),
      [
        ['a', '1.5'],
        ['6', false],
      ],
    );
    t.same(await results('return r:command("eval", "return {1, {redis.error_reply(\\"NO way\\")}}", 0)'), [
      [1, [{ err: 'NO way' }]],
    ]);
    t.match(await results('return r:command("incr", "l")'), [null, /^WRONGTYPE/]);
    t.equal(
      await vm.value('r:command("set", "b", (...)) return r:command("get", "b")', Buffer.from([0, 255, 13, 10])),
      '\0\xff\r\n',
    );
    t.equal(await vm.value('return mix.redis.connection("main") == mix.redis.connection("main")'), true);
  });
}
