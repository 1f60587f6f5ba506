/** Values that live with a connection, and waiting for one. */
import t from 'tap';
import { lab, RUN_ENTRY } from './lab.js';

t.test('a context keeps values by key', async (t) => {
  const { run, host } = await lab(t, RUN_ENTRY);
  const cases: readonly [string, string | RegExp][] = [
    ['c:set_context_value("k", 1) return c:context_value("k")', '1'],
    ['c:set_context_value("k", "x") c:set_context_value("k", nil) return c:context_value("k")', 'nil'],
    ['c:set_context_value("k", true) return c:context().k', 'true'],
    ['c:set_context({ a = 1, b = { 2 } }) return c:context_value("a") .. c:context_value("b")[1]', '12'],
    ['c:set_context({ a = 1 }) c:set_context({ b = 1 }) return c:context_value("a")', 'nil'],
    ['c:set_context_value(5, "five") return c:context_value("5")', 'five'],
    ['c:set_context_value("n", mix.null) return c:context_value("n") == mix.null', 'true'],
    ['c:set_context_value("e", mix.json_decode("[]")) return mix.json_encode(c:context_value("e"))', '[]'],
    ['local v = { 1 } c:set_context_value("t", v) v[1] = 2 return c:context_value("t")[1]', '1'],
    ['c:set_context_value("t", { 1 }) c:context_value("t")[1] = 2 return c:context_value("t")[1]', '1'],
    ['c:context().x = 1 return c:context_value("x")', 'nil'],
    ['c:set_context_value("f", print)', /code:1: a context keeps values, not a function/],
    ['c:set_context_value("f", { { c } })', /code:1: a context keeps values, not a userdata/],
    ['local v = {} v.v = v c:set_context_value("t", v)', /code:1: a context keeps tables up to 32 levels deep/],
    ['c:set_context_value(nil, 1)', /code:1: bad argument #1 to 'set_context_value' \(string expected, got no value\)/],
    ['c:set_context(1)', /code:1: bad argument #1 to 'set_context' \(table expected, got number\)/],
    ['c.context()', /call it with a colon/],
    ['c:wait_context_value("k", "soon")', /number expected, got string/],
  ];
  for (const [code, expected] of cases) {
    const answer = run(`local c = mix.websocket() ${code}`);
    if (typeof expected === 'string') t.equal(answer, expected, code);
    else t.match(answer, expected, code);
  }
  t.same(host.errors, []);
});

t.test('each connection has its own context', async (t) => {
  const { connect, say } = await lab(
    t,
    `function on_message(msg)
       local conn = mix.websocket()
       conn:set_context_value("n", (conn:context_value("n") or 0) + tonumber(msg.data))
       conn:send(tostring(conn:context_value("n")))
     end`,
  );
  const [one, two] = [connect(), connect()];
  for (const text of ['1', '2']) say(one, text);
  say(two, '10');
  t.same(one.texts, ['1', '3']);
  t.same(two.texts, ['10']);
});

const WAITER = `
function on_message(msg)
  local conn = mix.websocket()
  local key, seconds = msg.data:match("^(%w+) ?(.*)$")
  conn:send(tostring(conn:wait_context_value(key, tonumber(seconds))))
end
function on_close() print("closed") end`;

t.test('a wait for a context value ends when the API sets it', async (t) => {
  const { connect, say, script } = await lab(t, WAITER);
  const connection = connect();
  say(connection, 'uid');
  t.equal(script.stats().waiting, 1);
  script.setContextValue(connection, 'other', 1);
  script.setContextValue(connection, 'uid', null);
  t.same(connection.texts, []);
  script.setContextValue(connection, 'uid', 1001);
  t.same(connection.texts, ['1001']);
  say(connection, 'uid');
  t.same(connection.texts, ['1001', '1001'], 'what is there is not waited for');
  say(connection, 'name');
  script.setContext(connection, { name: 'Ann', list: [1, null, { deep: [] }] });
  t.same(connection.texts.at(-1), 'Ann');
});

t.test('a wait for a context value ends when another callback sets it', async (t) => {
  const { connect, say } = await lab(
    t,
    `function on_message(msg)
       if msg.data == "wait" then return mix.websocket():send(tostring(mix.websocket():wait_context_value("k"))) end
       mix.connection(msg.data):set_context_value("k", "from " .. mix.websocket():client_id())
       mix.websocket():send("set")
     end`,
  );
  const [one, two] = [connect('1'), connect('2')];
  say(one, 'wait');
  say(two, '1');
  t.same(two.texts, ['set']);
  t.same(one.texts, ['from 2']);
});

t.test('a wait ends with nil when the time is over or the connection closes', async (t) => {
  const { connect, say, script, host } = await lab(t, WAITER);
  const [late, closing] = [connect(), connect()];
  say(closing, 'uid');
  script.closed(closing, null);
  t.same(closing.texts, ['nil']);
  t.equal(host.lines.at(-1)?.message, 'closed', 'and on_close comes after it');
  say(late, 'uid 0.001');
  while (late.texts.length === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  t.same(late.texts, ['nil']);
  t.equal(script.stats().waiting, 0);
});

t.test('values of the API arrive as Lua has them', async (t) => {
  const { connect, say, script } = await lab(
    t,
    'function on_message(msg) mix.websocket():send(mix.json_encode(mix.websocket():context())) end',
  );
  const connection = connect();
  const value = { text: 'ä', whole: 5, big: 2 ** 53, half: 0.5, yes: true, none: null, list: [], object: { a: [1] } };
  script.setContextValue(connection, 'v', value);
  say(connection, '');
  t.same(JSON.parse(connection.texts[0]), { v: value });
});
