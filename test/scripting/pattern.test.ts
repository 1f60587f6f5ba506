/** The matcher with a budget gives what Lua's own gives, for any pattern and subject. */
import fc from 'fast-check';
import t from 'tap';
import { pushGuards } from '../../src/scripting/guard.js';
import { indexOf } from '../../src/scripting/pattern.js';
import { SANDBOX_LUA } from '../../src/scripting/sandbox.js';
import { Vm } from '../../src/scripting/vm.js';

const silent = { debug() {}, info() {}, warn() {}, error() {} };

/** The sandbox with a budget of zero steps: every pattern goes to our matcher. `compare` runs code in both worlds. */
async function twoWorlds(): Promise<
  (call: string, args: readonly (string | number | boolean)[]) => { ours: string; native: string }
> {
  const vm = await Vm.create({ cpuLimitMs: 60_000, memoryLimitMb: 64 }, silent);
  const { L, stack } = vm;
  const run = (text: string, args: number, results: number): void => {
    const problem = vm.compile(L, Buffer.from(text), '=test');
    if (problem !== null) throw new Error(problem);
    if (args > 0) stack.lua.lua_rotate(L, -args - 1, 1);
    vm.call(L, args, results);
  };
  run(
    `local sandbox = ...
     local native = { find = string.find, match = string.match, gsub = string.gsub, gmatch = string.gmatch }
     local show
     local function all(world, call, ...)
       if call == "gmatch" then
         local found = {}
         for a, b, c in world.gmatch(...) do found[#found + 1] = tostring(a) .. "," .. tostring(b) .. "," .. tostring(c) end
         return table.concat(found, ";")
       end
       return world[call](...)
     end
     local function text(ok, ...)
       local parts = { tostring(ok) }
       for i = 1, select("#", ...) do
         local value = select(i, ...)
         parts[#parts + 1] = math.type(value) == "float" and "float" or tostring(value)
       end
       return (table.concat(parts, "|"):gsub("^false|[^ ]*:%d+: ", "false|"))
     end
     return function(call, ...)
       return text(pcall(all, sandbox, call, ...)), text(pcall(all, native, call, ...))
     end`,
    pushSandbox(vm),
    1,
  );
  const compare = stack.keep(L);
  return (call, args) => {
    stack.pushKept(L, compare);
    stack.pushText(L, call);
    for (const arg of args) {
      if (typeof arg === 'string') stack.pushBytes(L, Buffer.from(arg, 'latin1'));
      else if (typeof arg === 'boolean') stack.pushBoolean(L, arg ? 1 : 0);
      else stack.pushCount(L, arg);
    }
    vm.call(L, args.length + 1, 2);
    const [ours, native] = [stack.copyBytes(L, -2).toString('latin1'), stack.copyBytes(L, -1).toString('latin1')];
    stack.setTop(L, 0);
    return { ours, native };
  };
}

function pushSandbox(vm: Vm): 1 {
  const { L, stack } = vm;
  // Nothing is quick, so that everything goes through the matcher with a budget.
  const eager = SANDBOX_LUA.replace('STEPS, FEW_STEPS = 5e6, 2e3', 'STEPS, FEW_STEPS = -1, -1');
  if (eager === SANDBOX_LUA) throw new Error('sandbox.ts has its budgets elsewhere');
  const problem = vm.compile(L, Buffer.from(eager), '=sandbox');
  if (problem !== null) throw new Error(problem);
  pushGuards(vm, L);
  vm.call(L, 1, 1);
  stack.pushCount(L, 1);
  vm.call(L, 1, 1);
  stack.getField(L, -1, 'string');
  stack.lua.lua_rotate(L, -2, 1);
  stack.setTop(L, -2);
  return 1;
}

const subject = fc.stringMatching(/^[ab1 .()%-]{0,24}$/);
const item = fc.constantFrom(
  ...[
    'a',
    'b',
    '.',
    '%a',
    '%d',
    '%s',
    '%w',
    '%S',
    '%p',
    '[ab]',
    '[^a]',
    '[a-b]',
    '[%d.]',
    '[]]',
    '%.',
    '%%',
    '1',
    ' ',
    '-',
  ],
  ...['[a-]', '[%a-z]', '[^%s]', '%x', '%u', '%g', '%c'],
);
const piece = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(item, fc.constantFrom('', '', '*', '+', '-', '?')).map(([a, b]) => a + b) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('()', '%b()', '%bab', '%f[%a]', '%f[^a]', '$', '^', '%1', '(a*)', '(.-)', '((a)b?)'),
  },
  { weight: 1, arbitrary: item.map((a) => `(${a}*)`) },
);
const pattern = fc
  .tuple(
    fc.constantFrom('', '', '^'),
    fc.array(piece, { maxLength: 6 }),
    fc.constantFrom('', '', '$', '%', '[', '(', ')'),
  )
  .map(([a, b, c]) => a + b.join('') + c);
const init = fc.integer({ min: -30, max: 30 });

t.test('find, match, gmatch and gsub agree with Lua', async (t) => {
  const compare = await twoWorlds();
  const agree = (call: string, args: readonly (string | number | boolean)[]): boolean => {
    const { ours, native } = compare(call, args);
    // An open capture that nobody asks for is an error here, and not in Lua's gsub.
    if (call === 'gsub' && ours.includes('unfinished capture')) return true;
    if (ours !== native) t.comment(`${call}(${JSON.stringify(args)}): ${ours} instead of ${native}`);
    return ours === native;
  };
  fc.assert(
    fc.property(
      subject,
      pattern,
      init,
      (s, p, i) => agree('find', [s, p, i]) && agree('match', [s, p, i]) && agree('find', [s, p, i, true]),
    ),
    { numRuns: 3000 },
  );
  fc.assert(
    fc.property(subject, pattern, (s, p) => agree('gmatch', [s, p])),
    { numRuns: 1500 },
  );
  const replacement = fc.constantFrom('x', '<%0>', '%1', '%%', '', '%2', 'a%1b%0', '%', '%z');
  fc.assert(
    fc.property(
      subject,
      pattern,
      replacement,
      fc.integer({ min: 0, max: 5 }),
      (s, p, r, n) => agree('gsub', [s, p, r]) && agree('gsub', [s, p, r, n]),
    ),
    { numRuns: 2000 },
  );
  t.pass('all agree');
});

t.test('a plain search finds what Buffer.indexOf finds', async (t) => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[ab]{0,60}$/),
      fc.stringMatching(/^[ab]{0,8}$/),
      fc.nat(60),
      (text, wanted, from) => {
        if (from > text.length) return true;
        return indexOf(Buffer.from(text), Buffer.from(wanted), from, () => undefined) === text.indexOf(wanted, from);
      },
    ),
    { numRuns: 2000 },
  );
  t.pass();
});
