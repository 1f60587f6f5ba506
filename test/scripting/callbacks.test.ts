/** Callbacks of a websocket server: what handlers get, what connections do, who waits for what. */
import t from 'tap';
import { lab, RUN_ENTRY } from './lab.js';

t.test('a message goes to on_message and back, byte for byte', async (t) => {
  const { script, connect, host } = await lab(
    t,
    'function on_message(msg) mix.websocket():send(msg.data, msg.type) end',
  );
  const connection = connect();
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  script.message(connection, bytes, true);
  script.message(connection, Buffer.from('äöü'), false);
  t.same(host.errors, []);
  t.same(connection.sent[0].bytes, bytes);
  t.equal(connection.sent[0].binary, true);
  t.equal(connection.sent[1].text, 'äöü');
  t.equal(connection.sent[1].binary, false);
});

t.test('the code of a message runs and answers', async (t) => {
  const { run, host } = await lab(t, RUN_ENTRY);
  t.equal(run('return 1 + 1'), '2');
  t.same(host.errors, []);
});
