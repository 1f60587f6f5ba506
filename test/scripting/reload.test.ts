/** A changed script is taken over without a restart, and a broken one is not. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { FakeHost } from './fake-host.js';
import { type Lab, lab } from './lab.js';

/** A lab whose script is watched, and a function that resolves when the log has a line that matches. */
async function watched(t: Parameters<typeof lab>[0], files: Record<string, string>) {
  const host = new FakeHost();
  const waiting: { pattern: RegExp; resolve: (line: string) => void }[] = [];
  const tell = (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const line = `${message} ${JSON.stringify(fields)}`;
    host.lines.push({ level: 'info', message: line, fields });
    for (const wait of [...waiting]) {
      if (!wait.pattern.test(line)) continue;
      waiting.splice(waiting.indexOf(wait), 1);
      wait.resolve(line);
    }
  };
  host.log.info = tell;
  host.log.error = tell;
  const here: Lab = await lab(t, files, { reloadSeconds: 0.005 }, host);
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  return { ...here, next: (pattern: RegExp) => new Promise<string>((resolve) => waiting.push({ pattern, resolve })) };
}

const SWAPPED = /swapped/;
const REFUSED = /do not load/;

t.test('a changed entry file and a changed module are swapped in; contexts stay', async (t) => {
  const { write, connect, say, next, script } = await watched(t, {
    'entry.lua': `local m = require "lib.m"
      function on_message(msg)
        local conn = mix.websocket()
        if msg.data ~= "" then conn:set_context_value("k", msg.data) end
        conn:send("one " .. m.name .. " " .. tostring(conn:context_value("k")))
      end`,
    'lib/m.lua': 'return { name = "m1" }',
  });
  const connection = connect();
  say(connection, 'kept');
  let swap = next(SWAPPED);
  write('lib/m.lua', 'return { name = "m2" }');
  await swap;
  say(connection, '');
  swap = next(SWAPPED);
  write('entry.lua', 'function on_message(msg) mix.websocket():send("two " .. mix.websocket():context_value("k")) end');
  await swap;
  say(connection, '');
  t.same(connection.texts, ['one m1 kept', 'one m2 kept', 'two kept']);
  t.equal(script.stats().reloads, 2);
});

t.test('a version that does not load leaves the running one, says why once, and the next one counts', async (t) => {
  const { write, connect, say, next, script, host, folder } = await watched(t, {
    'entry.lua': 'function on_message() mix.websocket():send("one") end',
  });
  const connection = connect();
  const failures: [string, RegExp][] = [
    ['x = = 1', /entry\.lua:1:/],
    ['\nerror("top")', /entry\.lua:2: top/],
    ['mix.timer.every(0.001, function() print("of a failed version") end) local x = nil + 1', /entry\.lua:1: attempt/],
    ['require "m"', /module 'm' not found/],
    ['while true do end', /entry\.lua:1: stopped/],
  ];
  for (const [text, problem] of failures) {
    const refused = next(REFUSED);
    write('entry.lua', text);
    t.match(await refused, problem);
    say(connection, '');
    t.equal(connection.texts.at(-1), 'one');
    t.equal(script.loaded, true);
    t.equal(script.problem, null);
  }
  t.equal(script.stats().timers, 0);
  const before = host.lines.length;
  await new Promise((resolve) => setTimeout(resolve, 30));
  t.equal(host.lines.length, before, 'not told again while nothing changes');

  let refused = next(REFUSED);
  write('entry.lua', 'local m = require "m" function on_message() mix.websocket():send(m) end');
  await refused;
  const swap = next(SWAPPED);
  write('m.lua', 'return "now it is there"');
  await swap;
  say(connection, '');
  t.equal(connection.texts.at(-1), 'now it is there');

  refused = next(REFUSED);
  rmSync(join(folder, 'entry.lua'));
  t.match(await refused, /no such file/);
  say(connection, '');
  t.equal(connection.texts.at(-1), 'now it is there');
});

t.test('a callback that waits finishes in the version that it began in', async (t) => {
  const { write, connect, say, next, host } = await watched(t, {
    'entry.lua': 'local v = "old" function on_message() mix.mesh.publish("c", "x") mix.websocket():send(v) end',
  });
  host.immediate = false;
  const connection = connect();
  say(connection, '');
  const swap = next(SWAPPED);
  write('entry.lua', 'function on_message() mix.websocket():send("new") end');
  await swap;
  say(connection, '');
  t.same(connection.texts, []);
  host.release();
  t.same(connection.texts, ['old', 'new']);
});

t.test('strings have the methods of the version that runs', async (t) => {
  const { write, connect, say, next, host } = await watched(t, {
    'entry.lua': `function string.mark(s) return s .. " old" end
      function on_message(msg)
        if msg.data == "wait" then mix.mesh.publish("c", "x") end
        mix.websocket():send(msg.data:mark())
      end`,
  });
  const [one, two] = [connect(), connect()];
  const refused = next(REFUSED);
  write('entry.lua', 'function string.mark(s) return s .. " broken" end error(("x"):mark())');
  t.match(await refused, /x broken/);
  say(one, 'after a failed version');
  host.immediate = false;
  say(two, 'wait');
  const swap = next(SWAPPED);
  write(
    'entry.lua',
    'function string.mark(s) return s .. " new" end function on_message(msg) mix.websocket():send(msg.data:mark()) end',
  );
  await swap;
  say(one, 'after the swap');
  host.release();
  say(one, 'at last');
  t.same(one.texts, ['after a failed version old', 'after the swap new', 'at last new']);
  t.same(two.texts, ['wait old']);
});

t.test('timers end with their version, also when a callback of it sets one later', async (t) => {
  const { write, connect, say, next, host, script } = await watched(t, {
    'entry.lua': `mix.timer.every(0.001, function() print("old tick") end)
      function on_message()
        mix.mesh.publish("c", "x")
        mix.websocket():send((select(2, mix.timer.after(0, function() print("old late") end))))
      end`,
  });
  await next(/old tick/);
  host.immediate = false;
  const connection = connect();
  say(connection, '');
  const swap = next(SWAPPED);
  const tick = next(/new tick/);
  write('entry.lua', 'mix.timer.every(0.001, function() print("new tick") end)');
  await swap;
  await tick;
  host.release();
  t.match(connection.texts[0], /has been replaced/);
  t.equal(script.stats().timers, 1);
  const from = host.lines.findIndex(({ message }) => SWAPPED.test(message));
  t.notOk(host.lines.slice(from).some(({ message }) => /old/.test(message)));
});

t.test('a module is loaded once, knows its name, and loops are errors', async (t) => {
  const { host } = await lab(t, {
    'entry.lua': `local a, b = require "sub.m", require "sub/m"
      print(a == b, a.name, package.loaded["sub.m"] == a, require("string") == string, require("mix") == mix)
      print(pcall(require, "loop"))`,
    'sub/m.lua': 'return { name = ... }',
    'loop.lua': 'return require "loop2"',
    'loop2.lua': 'return require "loop"',
  });
  t.equal(host.lines[0].message, 'true\tsub.m\ttrue\ttrue\ttrue');
  t.match(host.lines[1].message, /false\t.*loop of modules/);
});

t.test('a module whose top level failed, was stopped or waits can be required by the next callback', async (t) => {
  const { connect, say, host } = await lab(
    t,
    {
      'entry.lua': `tries = 0
        function on_message(msg) mix.websocket():send(require(msg.data)) end`,
      'fails.lua': 'tries = tries + 1 if tries < 3 then error("try " .. tries) end return "tries: " .. tries',
      'stops.lua': 'tries = tries + 1 while tries < 5 do end return "tries: " .. tries',
      'waits.lua': 'return "counts: " .. mix.mesh.publish("c", "x")',
    },
    { cpuLimitMs: 10 },
  );
  const connection = connect();
  for (const name of ['fails', 'fails', 'fails', 'stops', 'stops', 'waits']) say(connection, name);
  t.same(connection.texts, ['tries: 3', 'tries: 5', 'counts: 1']);
  t.equal(host.errors.length, 3);
  t.notMatch(host.errors.join(), /loop of modules/);
});

t.test('two callbacks may wait for one module', async (t) => {
  const { connect, say, host } = await lab(t, {
    'entry.lua': 'function on_message(msg) mix.websocket():send(require "waits") end',
    'waits.lua': 'return "counts: " .. mix.mesh.publish("c", "x")',
  });
  host.immediate = false;
  const [one, two] = [connect(), connect()];
  for (const connection of [one, two]) say(connection, '');
  host.release();
  t.same([one.texts, two.texts], [['counts: 1'], ['counts: 1']]);
  t.same(host.errors, []);
});

t.test('many reloads do not pile up', async (t) => {
  const { write, next, script } = await watched(t, { 'entry.lua': 'big = string.rep("x", 1000000)' });
  for (let i = 0; i < 10; i++) {
    const swap = next(SWAPPED);
    write('entry.lua', `big = string.rep("${i % 10}", 1000000 + ${i})`);
    await swap;
  }
  t.ok(script.stats().memoryBytes < 6_000_000, `${script.stats().memoryBytes} bytes`);
});
