/** The default business logic, lua/entry.websocket.lua: its answers to the letter, and what it says of bad input. */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { lab } from './lab.js';

const entry = readFileSync(join(dirname(fileURLToPath(import.meta.url)), '../../lua/entry.websocket.lua'), 'utf8');

t.test('the default entry answers as its reference says', async (t) => {
  const { connect, say, host } = await lab(t, entry);
  host.publishResult = { success: 2, fail: 0, unconfirmed: [] };
  const connection = connect('1');
  const answers: readonly [string, object][] = [
    ['{"op":"subscribe","channel":"c"}', { op: 'subscribe', channel: 'c', success: true }],
    ['{"op":"unsubscribe","channel":"c"}', { op: 'unsubscribe', channel: 'c', success: true }],
    ['{"op":"publish","channel":"c","data":"hi"}', { op: 'publish', success: 2, fail: 0 }],
    ['{"op":"ping"}', { op: 'pong' }],
  ];
  for (const [request, answer] of answers) {
    say(connection, request);
    t.same(JSON.parse(connection.texts.at(-1) ?? ''), answer);
  }
  t.same(host.subscriptions, ['1 + c', '1 - c']);
  t.match(host.published, [{ channel: 'c', text: 'hi', binary: false }]);
});

t.test('bad input is answered by an error that names what was wrong', async (t) => {
  const { connect, say, script, host } = await lab(t, entry);
  const connection = connect();
  const bad: readonly [string, RegExp][] = [
    ['hello', /not JSON/],
    ['', /not JSON/],
    ['null', /expected an object/],
    ['5', /expected an object/],
    ['"text"', /expected an object/],
    ['[]', /"op" must be one of/],
    ['{}', /"op" must be one of subscribe, unsubscribe, publish, ping/],
    ['{"op":"explode"}', /"op" must be one of/],
    ['{"op":null}', /"op" must be one of/],
    ['{"op":{}}', /"op" must be one of/],
    ['{"op":"subscribe"}', /subscribe: "channel" must be a string/],
    ['{"op":"subscribe","channel":5}', /subscribe: "channel" must be a string/],
    ['{"op":"subscribe","channel":""}', /subscribe: a channel must not be empty/],
    ['{"op":"subscribe","channel":"a b"}', /white space/],
    [`{"op":"subscribe","channel":"${'x'.repeat(256)}"}`, /at most 255 bytes/],
    ['{"op":"publish","channel":"c"}', /publish: "data" must be a string/],
    ['{"op":"publish","channel":"c","data":{}}', /publish: "data" must be a string/],
    [`${'['.repeat(5000)}`, /not JSON/],
  ];
  for (const [request, problem] of bad) {
    say(connection, request);
    t.match(JSON.parse(connection.texts.at(-1) ?? '{}').error, problem, request.slice(0, 60));
  }
  script.message(connection, Buffer.from([0xff, 0xfe, 0, 1]), true);
  t.match(JSON.parse(connection.texts.at(-1) ?? '{}').error, /not JSON/);
  t.equal(connection.texts.length, bad.length + 1);
  t.same(host.errors, []);
});
