/** The walls of the sandbox: what is not there, and ways around that do not lead out. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { lab, RUN_ENTRY } from './lab.js';

t.test('what reaches the host is not there', async (t) => {
  const { run } = await lab(t, RUN_ENTRY);
  const absent = [
    ...[
      'io',
      'dofile',
      'loadfile',
      'package.loadlib',
      'package.searchers',
      'package.preload',
      'string.dump',
      'js',
      'warn',
    ],
    ...['os.execute', 'os.exit', 'os.remove', 'os.rename', 'os.getenv', 'os.tmpname', 'os.setlocale'],
    ...['debug.getinfo', 'debug.sethook', 'debug.getregistry', 'debug.getmetatable', 'debug.setmetatable'],
    ...[
      'debug.getupvalue',
      'debug.setupvalue',
      'debug.upvaluejoin',
      'debug.getlocal',
      'debug.setlocal',
      'debug.getuservalue',
    ],
  ];
  for (const name of absent) t.equal(run(`return ${name}`), 'nil', name);
  t.equal(
    run('local names = {} for name in pairs(debug) do names[#names + 1] = name end return table.concat(names)'),
    'traceback',
  );
  t.equal(
    run('local n = {} for name in pairs(os) do n[#n + 1] = name end table.sort(n) return table.concat(n, " ")'),
    'clock date difftime time',
  );
});

t.test('attempts at escape fail', async (t) => {
  const { run, host } = await lab(t, RUN_ENTRY);
  const attempts: readonly [string, string | RegExp][] = [
    // the shared metatable of strings
    ['return getmetatable("").__index', /attempt to index a boolean value/],
    ['return tostring(getmetatable(""))', 'false'],
    ['setmetatable("", {})', /error/],
    // binary chunks
    ['return load("\\27Lua")', 'nil'],
    ['return (select(2, load("\\27LuaT", "x", "b")))', /mode is 'b'/],
    [
      'local n = 0 return (select(2, load(function() n = n + 1 return n == 1 and "\\27Lua" or nil end, "x", "bt")))',
      /attempt to load a binary chunk/,
    ],
    ['return pcall(string.dump, function() end)', 'false'],
    // environments
    ['return load("return io")() == nil', 'true'],
    ['return load("x_of_chunk = 1", "c", "t", _G) and _G.io == nil', 'true'],
    ['return getfenv(print).io == nil', 'true'],
    ['return getfenv(0).io == nil and getfenv(1) == _G', 'true'],
    ['setfenv(print, {}) setfenv(string.find, {}) return ("a"):find("a")', '1'],
    ['return getfenv(string.find).io == nil', 'true'],
    // objects of the host
    ['return tostring(getmetatable(mix.websocket()))', 'false'],
    ['return pcall(setmetatable, mix.websocket(), {})', 'false'],
    ['local c = mix.websocket() c.send = print', /error/],
    ['return pcall(mix.websocket().send, mix.null, "x")', 'false'],
    ['return pcall(mix.websocket().send, {}, "x")', 'false'],
    ['return pcall(mix.websocket().client_id, setmetatable({}, {}))', 'false'],
    ['return pcall(mix.websocket().send, "x", "x")', 'false'],
    ['return tostring(rawequal(mix.websocket(), mix.websocket()))', 'true'],
    // coroutines of the scheduler
    ['local me = coroutine.running() return coroutine.resume(me)', 'false'],
    ['return pcall(coroutine.close, (coroutine.running()))', 'false'],
    ['return coroutine.isyieldable()', 'true'],
    // modules
    ['require("os")', ''],
    ['return require "../entry"', /refused/],
    ['return require "a..b"', /refused/],
    ['return require "/etc/passwd"', /refused/],
    ['return require "outside"', /leads out of the script folder/],
    ['return require "not_there"', /no file not_there\.lua in the script folder/],
    ['return require "a\\0b"', /refused/],
    ['return require ""', /refused/],
    // finalizers are ignored, as in 5.1
    [
      'local ran = false do setmetatable({}, { __gc = function() ran = true end }) end local t = {} for i = 1, 1e5 do t = { t } t = {} end return ran',
      'false',
    ],
    ['local meta = { __gc = print } setmetatable({}, meta) return meta.__gc == print', 'true'],
    // collecting
    ['return collectgarbage("stop")', '0'],
    ['return collectgarbage("count") > 0', 'true'],
    ['return coroutine.close(coroutine.create(print))', 'true'],
    ['return coroutine.wrap(function() error("in") end)()', /error: code:1: in/],
  ];
  for (const [code, expected] of attempts) {
    if (code.includes('outside')) continue;
    const answer = run(code);
    if (expected instanceof RegExp) t.match(answer, expected, code);
    else if (expected !== '') t.equal(answer, expected, code);
  }
  t.same(host.errors, []);
});

t.test('a symbolic link does not lead out of the script folder', async (t) => {
  const { folder, run } = await lab(t, RUN_ENTRY);
  const { symlinkSync, mkdtempSync, rmSync } = await import('node:fs');
  const outside = mkdtempSync(join(folder, '..', 'lumesh-outside-'));
  t.teardown(() => rmSync(outside, { recursive: true }));
  writeFileSync(join(outside, 'secret.lua'), 'return "secret"');
  symlinkSync(join(outside, 'secret.lua'), join(folder, 'outside.lua'));
  t.match(run('return require "outside"'), /leads out of the script folder/);
});

t.test('names of modules that lead nowhere have a bound', async (t) => {
  const { run, host } = await lab(t, RUN_ENTRY);
  t.match(run('return require(string.rep("a.", 50000) .. "b")'), /refused: a name of over 200 bytes/);
  run('for i = 1, 2000 do pcall(require, "m" .. i) end');
  t.match(run('return require "one_more"'), /refused: the script has asked for 1000 files already/);
  t.same(host.errors, []);
});

t.test('two VMs draw different random numbers', async (t) => {
  const draw = async () => (await lab(t, RUN_ENTRY)).run('return math.random(1 << 60)');
  t.not(await draw(), await draw());
});

t.test('what a script changes stays its own', async (t) => {
  const first = await lab(t, RUN_ENTRY);
  const second = await lab(t, RUN_ENTRY);
  first.run('string.twice = function(s) return s .. s end mix.json_encode = nil x_global = 1');
  t.equal(first.run('return ("ab"):twice()'), 'abab', 'methods of strings are found in the string table, as in 5.1');
  t.equal(second.run('return string.twice'), 'nil');
  t.equal(second.run('return x_global'), 'nil');
  t.equal(second.run('return mix.json_encode(1)'), '1');
});

t.test('errors of guarded functions blame the line of the script', async (t) => {
  const { run } = await lab(t, RUN_ENTRY);
  t.equal(run('local x = string.find()'), "error: code:1: bad argument #1 to 'find' (string expected, got no value)");
  t.equal(
    run('local x = string.gsub("x", nil)'),
    "error: code:1: bad argument #2 to 'gsub' (string expected, got no value)",
  );
  t.match(run('local x = ("x"):rep()'), /bad argument #2 to 'rep' \(number expected, got no value\)/);
  t.match(run('local x = table.concat({ {} })'), /invalid value \(table\) at index 1 in table for 'concat'/);
  t.match(run('local x = ("x"):find("[")'), /malformed pattern \(missing ']'\)/);
});
