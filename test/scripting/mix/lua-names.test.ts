/** The parts of the library that are Lua: the 5.1 names, `bit` against LuaBitOp's documented results, and `print`. */
import t from 'tap';
import { bit } from '../../../src/scripting/mix/bit.js';
import { lua51 } from '../../../src/scripting/mix/lua51.js';
import { print } from '../../../src/scripting/mix/print.js';
import { BareVm } from './bare-vm.js';

const vm = await BareVm.open(lua51, bit, print);

/** Runs a chunk and gives its result; an error as text. */
async function run(code: string): Promise<unknown> {
  const result = await vm.value(
    `local ok, result = pcall(function() ${code} end) return ok and result or tostring(result)`,
  );
  return typeof result === 'bigint' ? Number(result) : result;
}
async function line(code: string): Promise<string> {
  vm.lines.length = 0;
  await vm.run(code);
  return Buffer.from(vm.lines.join('\n'), 'utf8').toString();
}

t.test("bit gives LuaBitOp's documented results", async (t) => {
  const rows: [string, number | string][] = [
    ['bit.tobit(0xffffffff)', -1],
    ['bit.tobit(0xffffffff + 1)', 0],
    ['bit.tobit(2^40 + 1234)', 1234],
    ['bit.tobit(1.5)', 2],
    ['bit.tobit(2.5)', 2],
    ['bit.tobit(-0.6)', -1],
    ['bit.tobit("0x10")', 16],
    ['bit.tohex(1)', '00000001'],
    ['bit.tohex(-1)', 'ffffffff'],
    ['bit.tohex(0xffffffff)', 'ffffffff'],
    ['bit.tohex(-1, 4)', 'ffff'],
    ['bit.tohex(0xabcdef, -8)', '00ABCDEF'],
    ['bit.tohex(0x87654321, 4)', '4321'],
    ['bit.tohex(1, 0)', ''],
    ['bit.bnot(0)', -1],
    ['bit.tohex(bit.bnot(0x12345678))', 'edcba987'],
    ['bit.bor(1, 2, 4, 8)', 15],
    ['bit.band(0x12345678, 0xff)', 0x78],
    ['bit.bxor(0xa5a5f0f0, 0xaa55ff00)', 0x0ff00ff0],
    ['bit.lshift(1, 0)', 1],
    ['bit.lshift(1, 8)', 256],
    ['bit.lshift(1, 40)', 256],
    ['bit.rshift(256, 8)', 1],
    ['bit.rshift(-256, 8)', 16777215],
    ['bit.arshift(256, 8)', 1],
    ['bit.arshift(-256, 8)', -1],
    ['bit.lshift(1, 31)', -2147483648],
    ['bit.tohex(bit.lshift(0x87654321, 12))', '54321000'],
    ['bit.tohex(bit.rshift(0x87654321, 12))', '00087654'],
    ['bit.tohex(bit.arshift(0x87654321, 12))', 'fff87654'],
    ['bit.tohex(bit.rol(0x12345678, 12))', '45678123'],
    ['bit.tohex(bit.ror(0x12345678, 12))', '67812345'],
    ['bit.rol(5, 0)', 5],
    ['bit.tohex(bit.bswap(0x12345678))', '78563412'],
    ['bit.tohex(bit.bswap(0x78563412))', '12345678'],
    ['math.type(bit.band(2^31, 2^31))', 'integer'],
  ];
  for (const [code, expected] of rows) t.equal(await run(`return ${code}`), expected, code);
  t.match(await run('return bit.band(1, "x")'), /bad argument #2 to 'band' \(number expected, got string\)/);
  t.match(await run('return bit.bnot()'), /bad argument #1 to 'bnot' \(number expected, got no value\)/);
  t.match(await run('return bit.bor(1, true)'), /bad argument #2 to 'bor' \(number expected, got boolean\)/);
});

t.test('the Lua 5.1 names are there', async (t) => {
  const rows: [string, unknown][] = [
    ['table.getn({1, 2, 3})', 3],
    ['table.maxn({[5] = 1, [2.5] = 1, x = 1})', 5],
    ['select("#", unpack({1, 2, 3}))', 3],
    ['select(2, unpack({1, 2, 3}, 2))', 3],
    ['tostring(math.pow(2, 10))', '1024'],
    ['tostring(math.pow(2, 0.5) == 2^0.5)', 'true'],
    ['tostring(math.pow(2, -1))', '0.5'],
    ['math.mod(7, 3)', 1],
    ['loadstring("return 1 + ...")(2)', 3],
    ['select(2, loadstring("return +", "=x"))', "x:1: unexpected symbol near '+'"],
    ['select(2, loadstring(string.dump(function() end)))', "attempt to load a binary chunk (mode is 't')"],
  ];
  for (const [code, expected] of rows) t.equal(await run(`return ${code}`), expected, code);
  t.equal(
    await run('local s = "" for w in string.gfind("one two", "%a+") do s = s .. w:upper() end return s'),
    'ONETWO',
  );
});

t.test('setfenv and getfenv work on Lua functions and levels', async (t) => {
  t.equal(await run('local f = function() return x end setfenv(f, {x = 5}) return f()'), 5);
  t.equal(await run('local f = loadstring("y = 1 return y") local env = {} setfenv(f, env) f() return env.y'), 1);
  t.equal(
    await run('local f = loadstring("y = 1") setfenv(f, {}) f() return tostring(y)'),
    'nil',
    'its neighbours keep theirs',
  );
  t.equal(await run('local env = {tostring = tostring} setfenv(1, env) z = 9 return env.z'), 9);
  t.equal(await run('local env = {} local f = setfenv(function() return a end, env) return getfenv(f) == env'), true);
  t.equal(await run('return getfenv(1) == _G and getfenv(0) == _G and getfenv(print) == _G'), true);
  t.equal(await run('return setfenv(function() return 1 end, {})()'), 1, 'a function without globals');
  t.match(await run('setfenv(0, {})'), /a VM has one global table/);
  t.match(await run('setfenv(next, {})'), /cannot change environment/);
  t.match(await run('setfenv(1)'), /table expected, got nil/);
  t.match(await run('getfenv(99)'), /invalid level/);
});

t.test('print shows what is in tables, on one line', async (t) => {
  t.equal(await line('print("a", 1, nil, true, 1.5)'), 'a\t1\tnil\ttrue\t1.5');
  t.equal(await line('print()'), '');
  t.equal(await line('print({1, "two", {3}})'), '{1, "two", {3}}');
  t.equal(
    await line('print({b = 1, a = {x = "y"}, [10] = true, ["a b"] = 0})'),
    '{[10] = true, a = {x = "y"}, ["a b"] = 0, b = 1}',
  );
  t.equal(await line('print({"line\\nbreak"})'), '{"line\\nbreak"}');
  t.equal(await line('local t = {} t.self = t print(t)'), '{self = <cycle>}');
  t.equal(await line('local s = {1} print({s, s})'), '{{1}, {1}}', 'a table that comes twice is no cycle');
  t.equal(await line('print({setmetatable({}, {__tostring = function() return "named" end})})'), '{named}');
  t.match(
    await line('local t = {} for i = 1, 20 do t = {t} end print(t)'),
    /^\{\{\{\{\{\{\{\{\{…\}/,
    'depth has a bound',
  );
  const long = await line('local t = {} for i = 1, 100000 do t[i] = i end print(t)');
  t.match(long, /, …\}$/, 'length has a bound');
  t.ok(long.length < 20_000);
});
