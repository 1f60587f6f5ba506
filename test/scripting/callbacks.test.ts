/** Callbacks of a websocket server: what handlers get, what connections do, who waits for what. */
import t from 'tap';
import { FakeHost } from './fake-host.js';
import { lab, REQUEST, RUN_ENTRY } from './lab.js';

t.test('a message goes to on_message and back, byte for byte', async (t) => {
  const { script, connect, host } = await lab(
    t,
    'function on_message(msg) mix.websocket():send(msg.data, msg.type) end',
  );
  const connection = connect();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  const long = Buffer.alloc(300_000, 7);
  script.message(connection, bytes, true);
  script.message(connection, Buffer.from('äöü'), false);
  script.message(connection, Buffer.alloc(0), false);
  script.message(connection, long, true);
  t.same(host.errors, []);
  t.same(connection.sent[0].bytes, bytes);
  t.equal(connection.sent[0].binary, true);
  t.equal(connection.sent[1].text, 'äöü');
  t.equal(connection.sent[1].binary, false);
  t.equal(connection.sent[2].bytes.length, 0);
  t.ok(connection.sent[3].bytes.equals(long));
});

t.test('on_message gets type, data and finish', async (t) => {
  const { say, connect } = await lab(
    t,
    'function on_message(msg) mix.websocket():send(msg.type .. " " .. msg.data .. " " .. tostring(msg.finish)) end',
  );
  const connection = connect();
  say(connection, 'x');
  t.same(connection.texts, ['text x true']);
});

t.test('on_handshake', async (t) => {
  const entry = `
    seen = {}
    function on_handshake(id, headers, server)
      seen = { id, headers["Sec-WebSocket-Key"], headers["sec-websocket-key"], headers.cookie, server.Method, server.RequestUri,
        server.ServerProtocol, server.Host, server.RemoteAddr }
      local refuse = mix.server.option("refuse")
      if refuse == "plain" then return false end
      if refuse == "full" then return false, 429, "slow down" end
      if refuse == "error" then error("no") end
      if refuse == "wait" then
        mix.mesh.publish("c", "x")
        return false, 401
      end
    end
    function on_message() mix.websocket():send(table.concat(seen, " ")) end`;
  const verdicts = new Map<string, unknown>();
  for (const refuse of ['', 'plain', 'full', 'error', 'wait']) {
    const { script, host } = await lab(t, entry, { options: [{ name: 'refuse', value: refuse }] });
    script.handshake(host.open('77'), REQUEST, (verdict) => verdicts.set(refuse, verdict));
    if (refuse !== '') continue;
    const connection = host.connections.get('77')!;
    script.message(connection, Buffer.from('?'), false);
    t.same(connection.texts, ['77 abc abc a=1, b=2 GET /?a=1 HTTP/1.1 localhost 127.0.0.1:40000']);
  }
  t.same(verdicts.get(''), { accept: true });
  t.same(verdicts.get('plain'), { accept: false, status: 403, body: '' });
  t.same(verdicts.get('full'), { accept: false, status: 429, body: 'slow down' });
  t.match(verdicts.get('error'), { accept: false, status: 500 });
  t.same(verdicts.get('wait'), { accept: false, status: 401, body: '' });
});

t.test('a handshake may wait, and messages that come meanwhile keep their order', async (t) => {
  const { script, host } = await lab(
    t,
    `function on_handshake(id) mix.mesh.publish("c", "x") end
     function on_message(msg) mix.websocket():send(msg.data) end`,
  );
  host.immediate = false;
  const connection = host.open('1');
  let accepted = 0;
  script.handshake(connection, REQUEST, () => accepted++);
  t.equal(accepted, 0);
  script.message(connection, Buffer.from('a'), false);
  script.message(connection, Buffer.from('b'), false);
  host.release();
  t.equal(accepted, 1);
  t.same(connection.texts, ['a', 'b']);
});

t.test('connections that are refused, aborted or closed are forgotten', async (t) => {
  const { script, host, connect } = await lab(
    t,
    `function on_handshake(id) mix.mesh.publish("c", "x") if id == "refuse" then return false end end`,
  );
  script.handshake(host.open('refuse'), REQUEST, () => undefined);
  const aborted = host.open('aborted');
  aborted.isOpen = false;
  script.handshake(aborted, REQUEST, () => undefined);
  const closed = connect();
  t.equal(script.stats().connections, 2);
  script.closed(closed, null);
  await new Promise((resolve) => setImmediate(resolve));
  t.equal(script.stats().connections, 0);
});

t.test('on_close comes once, last, with the reason', async (t) => {
  const { script, connect, host } = await lab(
    t,
    `function on_message(msg) mix.mesh.publish("c", "x") print("message " .. msg.data) end
     function on_close(id, err) print("closed " .. id .. " " .. tostring(err) .. " " .. mix.websocket():client_id()) end`,
  );
  const lines = () => host.lines.filter((line) => line.level === 'info').map((line) => line.message);
  const [clean, broken] = [connect('1'), connect('2')];
  script.closed(clean, null);
  host.immediate = false;
  script.message(broken, Buffer.from('a'), false);
  script.closed(broken, '1006 abnormal closure');
  script.closed(broken, 'again');
  t.same(lines(), ['closed 1 nil 1']);
  host.release();
  t.same(lines(), ['closed 1 nil 1', 'message a', 'closed 2 1006 abnormal closure 2']);
});

t.test('a connection closed by its own callback gets on_close after that callback', async (t) => {
  const { script, connect, host } = await lab(
    t,
    `function on_message(msg) mix.websocket():close(4000, "bye") print("after close: " .. tostring(mix.websocket():send("x"))) end
     function on_close(id, err) print("closed") end`,
  );
  const connection = connect();
  connection.onClose = () => script.closed(connection, null);
  script.message(connection, Buffer.from('a'), false);
  t.same(connection.closes, [{ code: 4000, reason: 'bye' }]);
  t.same(
    host.lines.map((line) => line.message),
    ['after close: connection closed', 'closed'],
  );
});

t.test('methods of a connection', async (t) => {
  const { run, host } = await lab(t, RUN_ENTRY);
  t.match(
    run('local c = mix.websocket() return c:client_id() .. " " .. c:remote_addr()'),
    /^10\d+ 127\.0\.0\.1:40000$/,
  );
  t.equal(run('return mix.websocket():subscribe("a", "b")'), 'nil');
  t.match(host.subscriptions.slice(-2), [/\+ a$/, /\+ b$/]);
  t.equal(run('return mix.websocket():unsubscribe("a")'), 'nil');
  t.match(host.subscriptions.at(-1), /- a$/);
  t.equal(run('return mix.websocket():unsubscribe()'), 'nil');
  t.match(host.subscriptions.at(-1), /- every channel$/);
  t.equal(run('return mix.websocket():psubscribe("room.*", "*")'), 'nil');
  t.match(host.subscriptions.slice(-2), [/\+ {2}room\.\*$/, /\+ {2}\*$/], 'under names that no channel can have');
  t.equal(run('return mix.websocket():punsubscribe("room.*")'), 'nil');
  t.match(host.subscriptions.at(-1), /- {2}room\.\*$/);
  t.equal(run('return mix.websocket():punsubscribe()'), 'nil');
  t.match(host.subscriptions.at(-1), /- every pattern$/);
  t.match(run('return mix.websocket():psubscribe(("x"):rep(256))'), /a pattern may have at most 255 bytes/);
  host.subscribeOutcome = { ok: false, reason: 'node_limit' };
  t.match(run('return mix.websocket():psubscribe("room.*")'), /on this node \(cluster\.maxPatterns\)/);
  host.subscribeOutcome = { ok: true, degraded: false };
  t.match(run('return mix.websocket():subscribe("a b")'), /white space/);
  t.match(run('return mix.websocket():subscribe(("x"):rep(256))'), /at most 255 bytes/);
  t.match(run('return mix.websocket():subscribe("\\xff")'), /not valid UTF-8/);
  t.match(run('return mix.websocket():subscribe()'), /no channel was named/);
  t.match(run('return mix.websocket():subscribe({})'), /string expected, got table/);
  t.match(run('return mix.websocket():send("\\xff")'), /not valid UTF-8/);
  t.match(run('return mix.websocket():send("x", "hex")'), /type must be "text" or "binary", not "hex"/);
  t.match(run('return mix.websocket():send()'), /string expected/);
  t.match(run('return mix.websocket().send("x")'), /call it with a colon/);
  t.match(run('return mix.websocket():close(12)'), /1000 to 4999/);
  t.match(run('return select(2, mix.socket.tcp())'), /this is a websocket server/);
  t.match(run('return select(2, mix.connection("9"))'), /no connection 9 on this node/);
  host.subscribeOutcome = { ok: false, reason: 'timeout' };
  t.match(run('return mix.websocket():subscribe("a")'), /timeout/);
  t.same(host.errors, []);
});

t.test('a closed connection takes no subscription, and has none that could not be ended', async (t) => {
  const { script, connect, say, host } = await lab(
    t,
    `local gone
     function on_message(msg)
       gone = gone or mix.websocket()
       print(gone[msg.data](gone, "a"), gone[msg.data](gone, "a b"))
     end`,
  );
  const [closes, asks] = [connect('1'), connect('2')];
  say(closes, 'unsubscribe');
  script.closed(closes, null);
  for (const method of ['subscribe', 'psubscribe', 'unsubscribe', 'punsubscribe']) {
    host.subscriptions.length = 0;
    say(asks, method);
    const kind = method.startsWith('p') ? 'pattern' : 'channel';
    const outcome = method.includes('un') ? 'nil' : 'connection closed';
    t.equal(
      host.lines.at(-1)?.message,
      `${outcome}\ta ${kind} must not contain white space or control characters: "a b"`,
    );
    t.same(host.subscriptions, [], 'nothing is asked of the mesh');
  }
});

t.test('another connection of this node is reached by its id', async (t) => {
  const { connect, say } = await lab(t, 'function on_message(msg) mix.connection(msg.data):send("hello") end');
  const [one, two] = [connect('1'), connect('2')];
  say(one, '2');
  t.same(two.texts, ['hello']);
});

t.test('the mesh', async (t) => {
  const { run, host } = await lab(t, RUN_ENTRY);
  host.publishResult = { success: 7, fail: 1, unconfirmed: [] };
  t.equal(run('local s, f = mix.mesh.publish("c", "data") return s .. " " .. f'), '7 1');
  t.match(host.published.at(-1), { channel: 'c', text: 'data', binary: false });
  t.equal(run('return mix.mesh.publish_nowait("c", "\\0\\255", "binary")'), 'nil');
  t.same(host.published.at(-1)?.bytes, Buffer.from([0, 255]));
  t.equal(run('local s, f, e = mix.mesh.publish("refused", "x") return s .. f .. e'), '00the queue is full');
  t.match(run('return (select(3, mix.mesh.publish("a b", "x")))'), /white space/);
  t.match(run('return (select(3, mix.mesh.publish("c", "\\xff")))'), /not valid UTF-8/);
  t.match(run('return mix.mesh.publish_nowait("", "x")'), /must not be empty/);
  t.match(run('mix.mesh.publish(nil, "x")'), /string expected, got nil/);
  host.open('5');
  t.equal(run('return mix.mesh.send("5", "hi")'), 'nil');
  t.equal(run('return mix.mesh.send(5, "hi")'), 'nil', 'an id may be a number');
  t.equal(run('return mix.mesh.send("6", "hi", "text")'), 'no such connection');
  t.equal(run('return mix.queue.push("t", { a = 1 })'), '1');
  t.match(host.pushed.at(-1), { topic: 't', json: '{"a":1}' });
  t.equal(run('return select(2, mix.queue.push("full", 1))'), 'queue full');
  t.match(run('return select(2, mix.queue.push("t", print))'), /function/);
});

t.test('a callback that waits keeps its place while others run', async (t) => {
  const { connect, say, host, script } = await lab(
    t,
    `function on_message(msg)
       local before = mix.websocket():client_id()
       local s = mix.mesh.publish("c", msg.data)
       local after = mix.websocket():client_id()
       mix.websocket():send(msg.data .. " " .. tostring(before == after))
     end`,
  );
  host.immediate = false;
  const connections = Array.from({ length: 1000 }, () => connect());
  for (const connection of connections) for (const text of ['1', '2', '3']) say(connection, text);
  t.equal(script.stats().waiting, 1000, 'one callback of each connection');
  for (let i = 0; i < 3; i++) {
    // Ends the waits in an order that is not theirs.
    host.held.sort((a, b) => ((String(a).length * 7919) % 13) - ((String(b).length * 104729) % 17));
    for (const go of host.held.splice(0).reverse()) go();
  }
  t.ok(connections.every(({ texts }) => texts.join() === '1 true,2 true,3 true'));
  t.equal(script.stats().waiting, 0);
  t.same(host.errors, []);
});

t.test('thousands of waits that end in any order come back to their own connections', async (t) => {
  const { connect, say, host, script } = await lab(
    t,
    `function on_message(msg)
       local id = mix.websocket():client_id()
       for round = 1, 3 do
         mix.mesh.publish("c", id)
         if mix.websocket():client_id() ~= id then error("in another connection") end
         mix.websocket():send(msg.data .. round)
       end
     end`,
  );
  host.immediate = false;
  const connections = Array.from({ length: 3000 }, () => connect());
  for (const text of ['a', 'b']) for (const connection of connections) say(connection, text);
  t.equal(script.stats().waiting, 3000);
  // 7 shares no factor with the number of waits, so each is let go once, far from its neighbours.
  while (host.held.length > 0) {
    const held = host.held.splice(0);
    for (let i = 0; i < held.length; i++) held[(i * 7) % held.length]();
  }
  const expected = ['a1', 'a2', 'a3', 'b1', 'b2', 'b3'];
  t.equal(connections.filter(({ texts }) => texts.join() === expected.join()).length, 3000);
  t.equal(script.stats().waiting, 0);
  t.same(host.errors, []);
});

t.test('a wait inside of a coroutine suspends the callback, not the coroutine', async (t) => {
  const { connect, say, host } = await lab(
    t,
    `function on_message(msg)
       local co = coroutine.wrap(function(a)
         local s = mix.mesh.publish("c", a)
         local b = coroutine.yield(a .. s)
         local inner = coroutine.create(function() return mix.mesh.publish("d", b) end)
         local ok, s2 = coroutine.resume(inner)
         return b .. tostring(ok) .. s2
       end)
       mix.websocket():send(co("x"))
       mix.websocket():send(co("y"))
     end`,
  );
  host.immediate = false;
  const connection = connect();
  say(connection, '');
  t.same(connection.texts, []);
  host.release();
  t.same(connection.texts, ['x1']);
  host.release();
  t.same(connection.texts, ['x1', 'ytrue1']);
  t.same(host.errors, []);
});

t.test('where a wait is not possible it is an error that says so', async (t) => {
  const host = new FakeHost();
  host.immediate = false;
  const other = await lab(t, RUN_ENTRY, {}, host);
  t.match(
    other.run('table.sort({ 2, 1 }, function(a, b) mix.mesh.publish("c", "x") return a < b end)'),
    /table\.sort or string\.gsub/,
  );
  await t.rejects(lab(t, 'mix.mesh.publish("c", "x")', {}, host), /not possible at the top level/);
  const yielding = await lab(t, 'function on_message() coroutine.yield(1) end');
  yielding.say(yielding.connect(), '');
  t.match(yielding.host.errors[0], /entry\.lua:1: coroutine\.yield was called outside of a coroutine/);
});

t.test('too many waiting callbacks are refused one by one', async (t) => {
  const { connect, say, host } = await lab(t, 'function on_message() mix.mesh.publish("c", "x") end', {
    waitingCallbacks: 2,
  });
  host.immediate = false;
  for (let i = 0; i < 3; i++) say(connect(), '');
  t.equal(host.errors.length, 1);
  t.match(host.errors[0], /entry\.lua:1: more than 2 callbacks wait/);
});

t.test(
  'a client that sends while its callback waits is paused at the bound, and closed at twice the bound',
  async (t) => {
    const { connect, say, host, script } = await lab(
      t,
      'function on_message(msg) mix.mesh.publish("c", msg.data) end function on_close(id, err) print(err) end',
      { pendingMessages: 10 },
    );
    host.immediate = false;
    const connection = connect();
    connection.onClose = () => script.closed(connection, null);
    for (let i = 0; i < 11; i++) say(connection, String(i));
    t.equal(connection.pauses, 1);
    while (host.held.length > 0) host.release();
    t.equal(connection.resumes, 1);
    t.equal(host.published.map(({ text }) => text).join(), '0,1,2,3,4,5,6,7,8,9,10');
    for (let i = 0; i < 60; i++) say(connection, 'x');
    t.match(connection.closes[0], { code: 1013 });
    t.equal(host.counts.get('drops_total:pending_messages'), 1);
    t.equal(host.counts.get('lua_pauses_total'), 2);
    while (host.held.length > 0) host.release();
    t.equal(host.lines.at(-1)?.message, 'too many messages while a callback waits');
  },
);

t.test('an error is logged with its traceback and counted, and closes nothing', async (t) => {
  const { connect, say, host, script } = await lab(
    t,
    'local function inner(x)\n  return x.y.z\nend\nfunction on_message(msg)\n  if msg.data == "bad" then inner({}) end\n  mix.websocket():send("fine")\nend',
  );
  const connection = connect();
  say(connection, 'bad');
  say(connection, 'good');
  t.match(
    host.errors[0],
    /entry\.lua:2: attempt to index a nil value \(field 'y'\)\nstack traceback:\n.*entry\.lua:2: in .*inner.*\n.*entry\.lua:5/,
  );
  t.same(connection.texts, ['fine']);
  t.equal(connection.closes.length, 0);
  t.equal(script.stats().errors, 1);
  t.equal(host.counts.get('lua_errors_total:on_message'), 1);
});

t.test('errors that are tables, nil, or raised again have a text', async (t) => {
  for (const raise of [
    'error({ code = 1 })',
    'error()',
    'error(setmetatable({}, { __tostring = function() error("x") end }))',
    'error(mix.null)',
  ]) {
    const { connect, say, host } = await lab(t, `function on_message() ${raise} end`);
    say(connect(), '');
    t.match(host.errors[0], /entry\.lua:1: error object is a (table|nil|userdata) value/);
  }
});

t.test('a script without handlers is content', async (t) => {
  const { connect, say, script, host } = await lab(t, '');
  const connection = connect();
  say(connection, 'x');
  script.closed(connection, null);
  script.gap('c');
  t.same(host.errors, []);
});

t.test('on_gap is called where it is defined', async (t) => {
  const { script, host } = await lab(t, 'function on_gap(channel) print(channel or "all") end');
  script.gap('c');
  script.gap(null);
  t.same(
    host.lines.map(({ message }) => message),
    ['c', 'all'],
  );
});

t.test('log, print, options and constants', async (t) => {
  const { run, host } = await lab(t, RUN_ENTRY, {
    options: [
      { name: 'path', value: '/x' },
      { name: 'n', value: 3 },
      { name: 'f', value: true },
    ],
  });
  t.equal(
    run('return mix.server.option("path") .. mix.server.option("n") .. tostring(mix.server.option("f"))'),
    '/x3true',
  );
  t.equal(run('return mix.server.option("none")'), 'nil');
  run('mix.log(mix.WARN, "careful") mix.log(mix.DEBUG, { }) print({ a = { 1, 2 } })');
  t.match(host.lines[0], { level: 'warn', message: 'careful' });
  t.equal(host.lines[1].level, 'debug');
  t.match(host.lines[2], { level: 'info', message: '{a = {1, 2}}' });
  t.match(run('mix.log(9, "x")'), /mix\.DEBUG, INFO, WARN or ERROR expected/);
});

t.test('a timer runs its function, again or once, until it is cancelled', async (t) => {
  const done = new Promise<string[]>((resolve) => {
    const host = new FakeHost();
    const lines: string[] = [];
    host.log.info = (message) => {
      lines.push(message);
      if (message === 'end') resolve(lines);
    };
    void lab(
      t,
      `local n, id = 0, nil
       id = mix.timer.every(0.001, function()
         n = n + 1
         mix.mesh.publish("c", tostring(n))
         print("tick " .. n)
         if n == 3 then print(mix.timer.cancel(id), mix.timer.cancel(id)) mix.timer.after(0, function() print(mix.websocket()) print("end") end) end
       end)
       mix.timer.cancel(mix.timer.after(0, function() print("never") end))`,
      {},
      host,
    );
  });
  // Timers of scripts do not keep a process alive; this one does while the test runs.
  const alive = setInterval(() => undefined, 1000);
  t.teardown(() => clearInterval(alive));
  t.same(await done, [
    'tick 1',
    'tick 2',
    'tick 3',
    'true\tfalse',
    'nil\tthis callback belongs to no connection',
    'end',
  ]);
});

t.test('os.time and os.date know the calendar', async (t) => {
  const { run } = await lab(t, RUN_ENTRY);
  t.equal(run('return os.date("!%Y-%m-%d %H:%M:%S %a %j %p %%", 0)'), '1970-01-01 00:00:00 Thu 001 AM %');
  t.equal(
    run(
      'local d = os.date("!*t", 951782400) return d.year .. d.month .. d.day .. d.wday .. d.yday .. tostring(d.isdst)',
    ),
    '2000229360false',
  );
  t.equal(run('return os.time(os.date("*t", 1700000000))'), '1700000000');
  t.equal(run('return math.type(os.time())'), 'integer');
  t.match(run('os.date("%Q")'), /invalid conversion specifier '%Q'/);
  t.match(run('os.time({ year = 2000 })'), /field 'month' missing/);
});

t.test('a start that cannot be: the error names file and line', async (t) => {
  await t.rejects(lab(t, 'function on_message(\n  x = = 1\nend'), /entry\.lua:2: .*unexpected symbol|entry\.lua:2:/);
  await t.rejects(lab(t, 'x = 1\nlocal y = nil + 1'), /entry\.lua:2: attempt to perform arithmetic/);
  await t.rejects(lab(t, {}), /entry\.lua: no such file/);
  await t.rejects(lab(t, { 'entry.lua': 'require "m"', 'm.lua': 'x = = 1' }), /m\.lua:1:/);
  await t.rejects(lab(t, 'while true do end', { cpuLimitMs: 20 }), /entry\.lua:1: stopped: ran longer/);
});

t.test('close ends timers, waits and resumes', async (t) => {
  const { script, connect, say, host } = await lab(
    t,
    'mix.timer.every(0.001, function() end) function on_message() mix.mesh.publish("c", "x") print("went on") end',
  );
  host.immediate = false;
  say(connect(), '');
  script.close();
  script.close();
  host.release();
  t.equal(script.loaded, false);
  t.equal(script.stats().timers, 0);
  t.same(host.lines, []);
});
