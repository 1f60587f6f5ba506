/** What a script cannot do: run for ever, take all memory, or bring down the VM for others. */
import t from 'tap';
import { lab, RUN_ENTRY } from './lab.js';

/** Loops that never end by themselves, each in its own hiding place. */
const ENDLESS: Readonly<Record<string, string>> = {
  'a loop': 'while true do end',
  'a loop inside of pcall': 'while true do pcall(function() while true do end end) end',
  'a pcall of pcall': 'local function f() while true do pcall(f2) end end while true do pcall(pcall, f) end',
  'a message handler of xpcall':
    'xpcall(function() while true do end end, function() while true do end end) while true do end',
  'a message handler of an error': 'xpcall(function() error("x") end, function() while true do end end)',
  'a coroutine': 'coroutine.wrap(function() while true do end end)()',
  'a coroutine inside of pcall': 'while true do pcall(coroutine.wrap(function() while true do end end)) end',
  'a to-be-closed variable': 'local x <close> = setmetatable({}, { __close = function() while true do end end })',
  'a finalizer': 'while true do setmetatable({}, { __gc = function() while true do end end }) end',
  'a metamethod':
    'local t = setmetatable({}, { __index = function(t, k) return t[k] end }) while true do pcall(function() return t.x end) end',
  'a comparison of table.sort':
    'local t = {} for i = 1, 100 do t[i] = i end table.sort(t, function(a, b) while true do end end)',
  'a table of endless length':
    'table.sort(setmetatable({}, { __len = function() return 2147483000 end, __index = function() return 1 end }))',
  'table.insert into endless length':
    'table.insert(setmetatable({}, { __len = function() return 1e15 // 1 | 0 end }), 1, 1)',
  'table.remove from endless length': 'table.remove(setmetatable({}, { __len = function() return 1 << 60 end }), 1)',
  'table.move over endless positions': 'table.move({}, 1, 1 << 60, 2)',
  'table.concat of endless length':
    'table.concat(setmetatable({}, { __len = function() return 1 << 60 end, __index = rawlen }))',
  'a pattern that tries for years': 'return string.find(string.rep("a", 5000), string.rep("a*", 20) .. "b")',
  'a pattern with many doubts':
    'return string.match(string.rep("a", 40), string.rep("a?", 40) .. string.rep("a", 40) .. "b")',
  'a pattern of gsub': 'return string.gsub(string.rep("a", 50000), ".-.-.-.-b", "")',
  'a pattern of gmatch': 'for x in string.gmatch(string.rep("x", 100000), "(.-)(.-)(.-)y") do end',
  'a pattern on nested brackets': 'return string.find(string.rep("(", 300000), "%b()")',
  'a plain search of long texts':
    'local s = string.rep("a", 1000000) while true do string.find(s, string.rep("a", 500000) .. "b", 1, true) end',
  'string.rep in a loop': 'while true do local s = string.rep("x", 10000000) end',
  'concatenation of long strings': 'local s = string.rep("x", 10000000) while true do local r = s .. "y" end',
  'comparison of long strings':
    'local a, b = string.rep("a", 10000000), string.rep("a", 10000000) while true do if a < b then break end end',
  'a coroutine with long strings':
    'local s = string.rep("x", 10000000) coroutine.wrap(function() while true do local r = s .. "y" end end)()',
  'json of a long text': 'local s = string.rep("[1,2,3],", 100000) while true do mix.json_decode("[" .. s .. "1]") end',
  'load of a long text': 'local s = string.rep("x = 1 ", 100000) while true do load(s) end',
  'a load function': 'load(function() return " " end)',
  collectgarbage: 'local t = {} for i = 1, 100000 do t[i] = {} end while true do collectgarbage() end',
  'a sort of many long strings':
    'local t, s = {}, string.rep("a", 1000000) for i = 1, 3000 do t[i] = s end table.sort(t)',
  'a tower of coroutines, each of which runs briefly': `
    local function f() for i = 1, 500 do end end
    local function level(f) return function() for i = 1, 20 do coroutine.wrap(f)() end end end
    for i = 1, 8 do f = level(f) end
    f()`,
  'an error for want of memory, caught again and again':
    'local head while true do pcall(function() head = { head } end) end',
  'formats of long texts, in coroutines': `
    local s = string.rep("\\0", 10000)
    while true do coroutine.wrap(function() for i = 1, 100 do string.format("%q", s) end end)() end`,
  'a to-be-closed variable with long strings': `
    local function close() local s = string.rep("x", 10000000) while true do local r = s .. "y" end end
    local x <close> = setmetatable({}, { __close = close })
    error("x")`,
  'a to-be-closed variable of a coroutine that is closed': `
    local function close() local s = string.rep("x", 10000000) while true do local r = s .. "y" end end
    local co = coroutine.create(function() local x <close> = setmetatable({}, { __close = close }) coroutine.yield() end)
    coroutine.resume(co)
    coroutine.close(co)`,
  'print of a large table': 'local t = {} for i = 1, 100000 do t[i] = {} end while true do print(t) end',
};

t.test('the CPU limit stops', async (t) => {
  for (const [what, code] of Object.entries(ENDLESS)) {
    await t.test(what, async (t) => {
      const limits = { cpuLimitMs: 30, memoryLimitMb: 64 };
      const { say, connect, run, host } = await lab(t, RUN_ENTRY, limits);
      const connection = connect();
      say(connection, code);
      t.match(
        host.errors.join() + connection.texts.join(),
        /stopped: ran longer than 30 ms|not enough memory|larger than 1 MB|nil/,
      );
      t.equal(run('return 1 + 1'), '2', 'others go on');
    });
  }
});

t.test('the CPU limit stops what comes after a stopped callback, its own __close included', async (t) => {
  const { say, connect, host } = await lab(t, 'function on_message(msg) load(msg.data, "=code")() end', {
    cpuLimitMs: 10,
  });
  const close = 'local x <close> = setmetatable({}, { __close = function() while true do end end })';
  const codes = [
    'while true do end',
    'while true do end',
    `${close} while true do end`,
    `coroutine.wrap(function() ${close} while true do end end)()`,
    `co = coroutine.create(function() ${close} while true do end end) coroutine.resume(co)`,
    'coroutine.close(co)',
  ];
  const connection = connect();
  for (const code of codes) say(connection, code);
  t.equal(host.errors.length, codes.length);
  for (const error of host.errors) t.match(error, /stopped: ran longer than 10 ms/);
});

t.test('the error of a stopped callback names file and line', async (t) => {
  const { say, connect, host } = await lab(
    t,
    'function on_message(msg)\n  local n = 0\n  while true do n = n + 1 end\nend',
    {
      cpuLimitMs: 10,
    },
  );
  say(connect(), 'x');
  t.match(host.errors[0], /entry\.lua:3: stopped: ran longer than 10 ms/);
  t.match(host.errors[0], /stack traceback/);
});

t.test('the memory limit holds against', async (t) => {
  const hungry: Readonly<Record<string, string>> = {
    strings: 'local s = "x" while true do s = s .. s end',
    'string.rep': 'return string.rep("x", 1 << 40)',
    'a repeated separator': 'return #string.rep("", 1 << 30, "xxxxxxxxxxxxxxxx")',
    tables: 'local t = {} while true do t[#t + 1] = {} end',
    'one large table': 'local t = {} for i = 1, 1e9 do t[i] = i end',
    'gsub growth': 'local s = string.rep("x", 100000) return #string.gsub(s, "x", s)',
    'table.concat': 'local t = {} for i = 1, 10000 do t[i] = string.rep("x", 10000) .. i end return #table.concat(t)',
    'table.unpack': 'return select("#", table.unpack({}, 1, 1e8 // 1 | 0))',
    closures: 'local t = {} while true do t[#t + 1] = function() return t end end',
    coroutines: 'local t = {} while true do t[#t + 1] = coroutine.create(function() end) end',
    'string.pack': 'return #string.pack("c2000000000", "")',
    'a wide format': 'return #string.format("%99999d", 1)',
  };
  for (const [what, code] of Object.entries(hungry)) {
    await t.test(what, async (t) => {
      const { run, script, host } = await lab(t, RUN_ENTRY, { memoryLimitMb: 16, cpuLimitMs: 5000 });
      const answer = run(code);
      t.match(answer + host.errors.join(), /not enough memory|too large|too many results|invalid (conversion|format)/);
      t.ok(script.stats().memoryBytes <= 16 * 1024 * 1024);
      t.equal(run('return 1 + 1'), '2', 'others go on');
    });
  }
});

t.test('an error for want of memory names file and line', async (t) => {
  const { say, connect, host } = await lab(
    t,
    'function on_message(msg)\n  local t = {}\n  while true do t[#t + 1] = {} end\nend',
    {
      memoryLimitMb: 8,
    },
  );
  say(connect(), 'x');
  t.match(host.errors[0], /entry\.lua:3: not enough memory/);
});

t.test('a VM full of what a failed callback left behind is well again', async (t) => {
  const { say, connect, run, host } = await lab(
    t,
    `${RUN_ENTRY}
     function fill()
       local head
       while true do head = { head, pcall(table.pack) } end
     end`,
    { memoryLimitMb: 8, cpuLimitMs: 10_000 },
  );
  for (let i = 0; i < 3; i++) {
    say(connect(), 'coroutine.wrap(fill)()');
    t.equal(run('return 1 + 1'), '2');
  }
  t.same(host.errors, []);
});

t.test('waits that cannot suspend are not counted as waiting', async (t) => {
  const { say, connect, run, host, script } = await lab(t, RUN_ENTRY, { waitingCallbacks: 3 });
  host.immediate = false;
  const wait = 'coroutine.wrap(function() mix.mesh.publish("c", "x") end)';
  for (let i = 0; i < 5; i++) {
    t.match(
      run(`for i = 1, 2 do pcall(table.sort, { 3, 2, 1 }, ${wait}) end return table.sort({ 2, 1 }, ${wait})`),
      /attempt to yield across a C-call boundary/,
    );
  }
  t.equal(script.stats().waiting, 0);
  const connection = connect();
  say(connection, 'return (mix.mesh.publish("c", "y"))');
  t.equal(script.stats().waiting, 1);
  host.release();
  t.same(connection.texts, ['1']);
  t.equal(script.stats().waiting, 0);
});

t.test('the log takes long texts as their beginning', async (t) => {
  const { run, say, connect, host } = await lab(t, 'function on_message(msg) load(msg.data)() end');
  for (const code of ['mix.log(mix.INFO, long)', 'print(long)', 'error(long)']) {
    say(connect(), `long = string.rep("x", 1000000) ${code}`);
  }
  t.same(
    host.lines.map(({ message }) => message.replace(/x+/, 'x')),
    ['x…', 'x…', 'error in a script'],
  );
  for (const line of host.lines) t.ok(JSON.stringify(line).length < 10_000);
  t.equal(run('mix.websocket():send("on")'), 'on');
});

t.test('recursion ends in an error, not in the VM', async (t) => {
  const { run, host } = await lab(t, RUN_ENTRY);
  const deep: readonly string[] = [
    'local function f(n) return 1 + f(n + 1) end return f(1)',
    'local function f() return pcall(f) end return f()',
    'local function f() return (string.gsub("a", "a", f)) end return f()',
    'local function f() coroutine.wrap(f)() end f()',
    'local t = setmetatable({}, {}) getmetatable(t).__index = function(t, k) return t[k + 1] end return t[1]',
    'return load("return " .. string.rep("(", 100000))',
    'return load(string.rep("do ", 100000))',
    'local t = {} for i = 1, 100000 do t = { t } end return mix.json_encode(t)',
    'local function f() table.sort({ 3, 2, 1 }, f) end f()',
    'return tostring(setmetatable({}, { __tostring = function(t) return tostring(t) end }))',
    'local s = string.rep("a", 300000) return string.match(s, string.rep("(a", 40))',
  ];
  for (const code of deep) t.type(run(code), 'string', code);
  t.equal(run('return 1 + 1'), '2');
  t.notMatch(host.errors.join('\n'), /left by an exception|host function failed/);
});

t.test('a VM whose memory is full refuses what needs more, and is well again when there is room', async (t) => {
  const { run, script, connect, host } = await lab(
    t,
    `${RUN_ENTRY}
     function fill()
       kept = {}
       while pcall(function() kept[#kept + 1] = string.rep("x", 1000) .. #kept end) do end
       while pcall(function() kept[#kept + 1] = { } end) do end
     end`,
    { memoryLimitMb: 8, cpuLimitMs: 10_000 },
  );
  run('fill()');
  for (let i = 0; i < 50; i++) {
    const connection = connect();
    script.message(connection, Buffer.alloc(500_000, 'x'), true);
    script.setContextValue(connection, 'k', 'v'.repeat(100_000));
    script.closed(connection, null);
  }
  t.match(host.errors.join(), /not enough memory/);
  script.message(connect(), Buffer.from('kept = nil'), false);
  t.equal(run('kept = nil return 1 + 1'), '2');
  // Garbage is looked for at every 32nd callback.
  for (let i = 0; i < 32; i++) run('return 1');
  t.equal(run('return #string.rep("x", 1000000)'), '1000000');
  t.notMatch(host.errors.join(), /left by an exception|host function failed/);
});

t.test('small blocks that were given back serve blocks of other sizes too, each once, within the memory', async (t) => {
  const { run, script } = await lab(t, RUN_ENTRY, { memoryLimitMb: 8, cpuLimitMs: 20_000 });
  // Nearly all of the memory in blocks of one size after the other.
  const answer = run(`
    for size = 8, 300, 36 do
      local kept = {}
      for i = 1, 4e6 // (size + 64) do kept[i] = string.format("%" .. math.min(size, 99) .. "d", i) .. ("x"):rep(size - 99) end
      for i, text in ipairs(kept) do
        if tonumber(text:match("%d+")) ~= i then return "block " .. i .. " of " .. size .. " was overwritten" end
      end
    end
    return "each its own"`);
  t.equal(answer, 'each its own');
  t.ok(script.stats().reservedBytes <= 16 * 1024 * 1024);
});
