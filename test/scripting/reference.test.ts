/**
 * docs/lua.md against what scripts really find, in both directions; every entry has its five parts, its examples are Lua, and those that show a result
 * (`expression --> result`) give it.
 */
import { readFileSync } from 'node:fs';
import t from 'tap';
import { schema } from '../../src/config/schema.js';
import type { Connections } from '../../src/scripting/connection-state.js';
import { CONTEXT_LUA } from '../../src/scripting/context.js';
import { bit } from '../../src/scripting/mix/bit.js';
import { connectionMethods } from '../../src/scripting/mix/connection.js';
import { json } from '../../src/scripting/mix/json.js';
import { lua51 } from '../../src/scripting/mix/lua51.js';
import type { ModuleHost } from '../../src/scripting/mix/module.js';
import { print } from '../../src/scripting/mix/print.js';
import { pure } from '../../src/scripting/mix/pure.js';
import type { ScriptHost } from '../../src/scripting/roles.js';
import { bufferMethods } from '../../src/scripting/socket.js';
import type { Stack } from '../../src/scripting/stack.js';
import { lab, RUN_ENTRY } from './lab.js';
import { BareVm } from './mix/bare-vm.js';

const docs = new URL('../../docs/', import.meta.url);
const reference = readFileSync(new URL('lua.md', docs), 'utf8');
const entries = reference
  .split(/^#### /m)
  .slice(1)
  .map((text) => ({ name: text.slice(0, text.indexOf('\n')), text }));

const vm = await BareVm.open(lua51, bit, json, pure, print);
await vm.run('function compiles(text, name) return (select(2, loadstring(text, "=" .. name))) end');

t.test('every entry says syntax, where, behaviour, failures and an example', async (t) => {
  const names = entries.map(({ name }) => name);
  t.equal(new Set(names).size, names.length, 'no entry comes twice');
  for (const { name, text } of entries) {
    for (const part of ['Syntax', 'Where', 'Behaviour', 'Failures', 'Example']) {
      t.match(text, new RegExp(`^- \\*\\*${part}\\*\\*`, 'm'), `${name}: ${part}`);
    }
    t.ok(text.includes('```lua'), `${name}: the example is Lua`);
    const syntax = /\*\*Syntax\*\* (.*)/.exec(text)?.[1] ?? '';
    t.ok(syntax.includes(name), `${name}: the syntax names it`);
  }
});

t.test('every example compiles', async (t) => {
  for (const file of ['lua.md', 'guide.md']) {
    const text = readFileSync(new URL(file, docs), 'utf8');
    for (const [, code] of text.matchAll(/```lua\n([\s\S]*?)```/g)) {
      const lines = code!.split('\n').filter((line) => !line.includes('-->'));
      t.equal(await vm.value('return compiles(...)', lines.join('\n'), file), null, `${file}: ${code!.split('\n')[0]}`);
    }
  }
});

t.test('every result that an example shows is the real one', async (t) => {
  const shown = [...reference.matchAll(/^(.+?)\s+--> (.+)$/gm)];
  t.ok(shown.length > 30);
  for (const [, expression, result] of shown) {
    vm.lines.length = 0;
    await vm.run(`print({${expression}}) print({${result}})`);
    t.equal(vm.lines[0], vm.lines[1], expression);
  }
});

/** Lua 5.4's own names; whatever else a script finds is ours, and has an entry. */
const STANDARD = new Set(
  `_G _VERSION assert collectgarbage dofile error getmetatable ipairs load loadfile next pairs pcall rawequal rawget rawlen
   rawset require select setmetatable tonumber tostring type warn xpcall
   coroutine.close coroutine.create coroutine.isyieldable coroutine.resume coroutine.running coroutine.status coroutine.wrap
   coroutine.yield debug.traceback
   math.abs math.acos math.asin math.atan math.ceil math.cos math.deg math.exp math.floor math.fmod math.huge math.log math.max
   math.maxinteger math.min math.mininteger math.modf math.pi math.rad math.random math.randomseed math.sin math.sqrt math.tan
   math.tointeger math.type math.ult
   os.clock os.date os.difftime os.time package.cpath package.loaded package.path
   string.byte string.char string.find string.format string.gmatch string.gsub string.len string.lower string.match
   string.pack string.packsize string.rep string.reverse string.sub string.unpack string.upper
   table.concat table.insert table.move table.pack table.remove table.sort table.unpack
   utf8.char utf8.charpattern utf8.codepoint utf8.codes utf8.len utf8.offset`.split(/\s+/),
);

/** Sends the dotted name of everything in the global table. */
const WALK = `
function on_message()
  local names, seen = {}, { [package.loaded] = true }
  local function walk(value, path)
    if type(value) == "table" and not seen[value] then
      seen[value] = true
      for key, inner in pairs(value) do walk(inner, path == "" and key or path .. "." .. key) end
    elseif type(value) ~= "table" then names[#names + 1] = path end
  end
  walk(_G, "")
  mix.websocket():send(table.concat(names, " "))
end
`;

t.test('scripts find what the reference lists, and the reference lists what scripts find', async (t) => {
  const redisServer = schema.parse({ lua: { redis: [{ name: 'main' }] } }).lua.redis;
  const { run } = await lab(t, { 'entry.lua': WALK }, { redis: redisServer });
  const globals = run('')
    .split(' ')
    .filter((name) => !STANDARD.has(name) && name !== 'on_message');
  t.ok(globals.length > 60, 'the walk found the library');

  const stack = {} as Stack;
  const vm = { stack } as ModuleHost;
  const methods = [
    ...Object.keys(connectionMethods(vm, {} as Connections, {} as ScriptHost)).map((name) => `conn:${name}`),
    ...[...CONTEXT_LUA.matchAll(/^function methods\.(\w+)/gm)].map(([, name]) => `conn:${name}`),
    ...Object.keys(bufferMethods(stack, {} as Connections)).map((name) => `buf:${name}`),
    'redis:command',
  ];
  t.same(entries.map(({ name }) => name).sort(), [...globals, ...methods].sort());

  const found = `
    local conn, redis = mix.websocket(), mix.redis.connection("main")
    local out = {}
    for _, name in ipairs({${methods.map((name) => `"${name}"`).join(',')}}) do
      local object, method = name:match("(.*):(.*)")
      local value = object == "conn" and conn or object == "redis" and redis
      if value and type(value[method]) ~= "function" then out[#out + 1] = name end
    end
    return table.concat(out, " ")`;
  const other = await lab(t, RUN_ENTRY, { redis: redisServer });
  t.equal(other.run(found), '', 'every method can be called');
});
