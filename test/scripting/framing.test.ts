/** Socket servers: packets out of bytes, in every way in which bytes can arrive, and errors in each callback. */

import fc from 'fast-check';
import t from 'tap';
import { FakeHost } from './fake-host.js';
import { type Lab, lab } from './lab.js';

const LINES = `
function protocol_input(buf)
  local at = buf:tostring():find("\\n", 1, true)
  return at or 0
end
function protocol_decode(packet) return packet:sub(1, -2) end
function protocol_encode(str) return "<" .. str .. ">" end
function on_message(line)
  local conn = mix.socket.tcp()
  if line == "wait" then mix.mesh.publish("c", "x") end
  if line == "bad" then error("bad line") end
  if line == "close" then conn:close() end
  if line == "clear" then conn:clear_buffer() end
  conn:send(line .. ";")
end`;

async function socketLab(t: Parameters<typeof lab>[0], entry: string, options = {}): Promise<Lab> {
  return lab(t, entry, { protocol: 'socket', maxPayloadBytes: 100, ...options });
}

function open({ host, script }: Lab, id = '1') {
  const connection = host.open(id, 'socket');
  script.connected(connection);
  const receive = (text: string | Uint8Array) => script.received(connection, Buffer.from(text as string));
  const text = () => connection.texts.join('');
  return { connection, receive, text };
}

t.test('packets arrive whole and in order, however the bytes are cut', async (t) => {
  const here = await socketLab(t, LINES);
  let id = 0;
  fc.assert(
    fc.property(
      fc.array(fc.stringMatching(/^[a-z]{0,12}$/), { maxLength: 30 }),
      fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 40 }),
      (lines, cuts) => {
        const wanted = lines.map((line) => `x${line}`);
        const { receive, text } = open(here, String(++id));
        const bytes = Buffer.from(wanted.map((line) => `${line}\n`).join(''));
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const next = at + cuts[i % cuts.length];
          receive(bytes.subarray(at, next));
          at = next;
        }
        return text() === wanted.map((line) => `${line};`).join('');
      },
    ),
    { numRuns: 60 },
  );
  t.same(here.host.errors, []);
});

t.test('while a callback waits, the packets behind it stay where they are', async (t) => {
  const here = await socketLab(t, LINES);
  here.host.immediate = false;
  const { receive, text } = open(here);
  receive('a\nwait\nb\n');
  receive('c\n');
  t.equal(text(), 'a;');
  here.host.release();
  t.equal(text(), 'a;wait;b;c;');
});

t.test('an error in one packet does not stop the next', async (t) => {
  const here = await socketLab(t, LINES);
  const { receive, text, connection } = open(here);
  receive('a\nbad\nb\n');
  t.equal(text(), 'a;b;');
  t.match(here.host.errors[0], /bad line/);
  t.equal(connection.isOpen, true);
});

t.test('after a close no packet is handled any more', async (t) => {
  const here = await socketLab(t, LINES);
  const { receive, text, connection } = open(here);
  receive('a\nclose\nb\n');
  t.equal(text(), 'a;');
  t.equal(connection.isOpen, false);
});

t.test('clear_buffer forgets what came behind', async (t) => {
  const here = await socketLab(t, LINES);
  const { receive, text } = open(here);
  receive('clear\nb\nc');
  receive('d\n');
  t.equal(text(), 'clear;d;');
});

t.test('answers of protocol_input', async (t) => {
  const cases: readonly [string, string, RegExp | null][] = [
    ['-1 closes', 'return -1', null],
    ['more than the bound closes', 'return 101', null],
    ['a string is an error', 'return "x"', /must return an integer, not string x/],
    ['nothing is an error', 'return', /must return an integer, not (nil nil|no value)/],
    ['a fraction is an error', 'return 1.5', /must return an integer/],
    ['an error of the script', 'error("no")', /entry\.lua:1: no/],
    ['an endless loop is stopped', 'while true do end', /stopped/],
  ];
  for (const [what, body, problem] of cases) {
    const here = await socketLab(t, `function protocol_input(buf) ${body} end`, { cpuLimitMs: 20 });
    const { receive, connection } = open(here);
    receive('abc');
    t.equal(connection.isOpen, problem !== null, `${what}; an error closes nothing`);
    t.equal(here.host.errors.length, problem === null ? 0 : 1, what);
    if (problem === null) continue;
    t.match(here.host.errors[0], problem, what);
    receive('x'.repeat(97));
    t.equal(connection.isOpen, false, `${what}; as without an error, the bound closes`);
  }
});

t.test('on_close is told why a client was closed for what it sent', async (t) => {
  const cases: readonly [string, string][] = [
    ['return -1', 'refused by protocol_input'],
    ['return 101', 'packet too large'],
    ['mix.socket.tcp():close(1008, "no") return 0', 'nil'],
  ];
  for (const [body, told] of cases) {
    const entry = `function protocol_input(buf) ${body} end function on_close(id, err) print(id, err) end`;
    const here = await socketLab(t, entry);
    const { receive, connection } = open(here);
    connection.onClose = () => here.script.closed(connection, null);
    receive('abc');
    t.equal(here.host.lines.at(-1)?.message, `1\t${told}`, body);
  }
});

t.test('after an error of protocol_input it is asked again when more bytes arrive', async (t) => {
  const here = await socketLab(
    t,
    `function protocol_input(buf)
       if buf:length() < 4 then error("too early") end
       return 4
     end
     function on_message(packet) mix.socket.tcp():send(packet .. ";") end`,
  );
  const { receive, text } = open(here);
  receive('ab');
  receive('cdef');
  receive('gh');
  t.equal(text(), 'abcd;efgh;');
  t.equal(here.host.errors.length, 2);
});

t.test('a beginning without an end closes at the bound', async (t) => {
  const here = await socketLab(t, LINES);
  const { receive, connection } = open(here);
  for (let i = 0; i < 9; i++) receive('0123456789');
  t.equal(connection.isOpen, true);
  receive('0123456789');
  t.equal(connection.isOpen, false);
  t.equal(here.host.counts.get('drops_total:packet_too_large'), 1);
});

t.test('protocol_input that knows the size is asked again when the bytes are there', async (t) => {
  const here = await socketLab(
    t,
    `asked = 0
     function protocol_input(buf)
       asked = asked + 1
       local head, err = buf:read(1)
       assert(buf:position() == 1 and buf:length() >= 1)
       assert(select(2, buf:read(1000)):match("cannot read 1000 bytes: %d+ are there"))
       return 1 + head:byte()
     end
     function on_message(packet) mix.socket.tcp():send(asked .. ":" .. packet:sub(2)) end`,
  );
  const { receive, text } = open(here);
  receive([50, ...Buffer.from('a'.repeat(10))] as unknown as Uint8Array);
  receive('a'.repeat(39));
  t.equal(text(), '');
  receive('a');
  t.equal(text(), `2:${'a'.repeat(50)}`);
  t.same(here.host.errors, []);
});

t.test('protocol_decode may return any value, and nil skips the packet', async (t) => {
  const here = await socketLab(
    t,
    `function protocol_input(buf) return 1 end
     function protocol_decode(packet)
       if packet == "e" then error("odd") end
       if packet == "t" then return { v = "table" } end
       if packet == "n" then return 5 end
       if packet == "f" then return false end
     end
     function on_message(v) mix.socket.tcp():send(type(v) .. ";") end`,
  );
  const { receive, text } = open(here);
  receive('txnef');
  t.equal(text(), 'table;number;boolean;');
  t.equal(here.host.errors.length, 1);
});

t.test('protocol_encode frames for a connection, also while a callback runs', async (t) => {
  const here = await socketLab(
    t,
    `${LINES}
     function on_connect(id) mix.socket.tcp():set_context_value("mark", id) end
     function protocol_encode(str)
       if str == "empty" then return "" end
       if str == "nil" then return nil end
       if str == "number" then return 5 end
       if str == "error" then error("no frame") end
       if str == "wait" then mix.mesh.publish("c", "x") end
       return mix.socket.tcp():context_value("mark") .. ":" .. str
     end
     function on_message(line) mix.mesh.publish("c", line) mix.socket.tcp():send("mine " .. mix.socket.tcp():client_id()) end`,
  );
  const [one, two] = [open(here, '1'), open(here, '2')];
  const encode = (text: string) => here.script.encode(two.connection, Buffer.from(text))?.toString();
  t.equal(encode('x'), '2:x');
  for (const text of ['empty', 'nil', 'number', 'error', 'wait']) t.equal(encode(text), undefined, text);
  t.equal(here.host.errors.length, 2);
  t.match(here.host.errors[1], /protocol_encode/);
  const frames: (string | undefined)[] = [];
  const publish = here.host.publish.bind(here.host);
  here.host.publish = (...args) => {
    frames.push(encode(args[1].toString()));
    return publish(...args);
  };
  one.receive('hello\n');
  t.same(frames, ['2:hello']);
  t.equal(one.text(), 'mine 1');
});

t.test('without protocol_encode bytes go out as they are', async (t) => {
  const here = await socketLab(t, 'function protocol_input(buf) return buf:length() end');
  const { connection } = open(here);
  t.same(here.script.encode(connection, Buffer.from([1, 2])), Buffer.from([1, 2]));
  t.equal(here.host instanceof FakeHost, true);
});

t.test('a client that sends while its callback waits is paused', async (t) => {
  const here = await socketLab(t, LINES, { maxPayloadBytes: 65536 });
  here.host.immediate = false;
  const { receive, connection, text } = open(here);
  receive('wait\n');
  for (let i = 0; i < 20; i++) receive(`${'x'.repeat(60_000)}\n`);
  t.equal(connection.pauses, 1);
  here.host.release();
  t.equal(connection.resumes, 1);
  t.equal(text().length, 5 + 20 * 60_001);
});
