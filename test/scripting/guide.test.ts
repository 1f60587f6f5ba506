/** The first application of docs/guide.md, taken from its text and run: what a reader types in works. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { FakeHost } from './fake-host.js';
import { lab } from './lab.js';

const guide = readFileSync(new URL('../../docs/guide.md', import.meta.url), 'utf8');

/** The first code block of a language behind a text. */
function block(after: string, language: string): string {
  const from = guide.indexOf('```'.concat(language), guide.indexOf(after));
  return guide.slice(guide.indexOf('\n', from) + 1, guide.indexOf('\n```', from));
}

t.test('three devices log in over mix.http and are subscribed to their user', async (t) => {
  const users: Record<string, object> = { 'token-ann': { uid: 1001, name: 'Ann' } };
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    const user = request.url === '/login' ? users[JSON.parse(text).token] : undefined;
    response.writeHead(user ? 200 : 401).end(JSON.stringify(user ?? {}));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close().closeAllConnections());
  const backend = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const host = new FakeHost();
  const script = `${block('`lua/entry.lua`:', 'lua')}\n${block('### Closing the door', 'lua')}`;
  const { connect, say } = await lab(t, script, { options: [{ name: 'backend', value: backend }] }, host);
  const answers = async (token: string) => {
    const connection = connect();
    say(connection, JSON.stringify({ op: 'login', token }));
    while (connection.sent.length === 0) await new Promise(setImmediate);
    return JSON.parse(connection.texts[0]!);
  };
  for (let device = 0; device < 3; device++) {
    t.same(await answers('token-ann'), { success: true, uid: 1001, name: 'Ann' });
  }
  t.same(await answers('token-eve'), { success: false, error: 'wrong token' });
  t.same(host.subscriptions, ['1001 + user:1001', '1002 + user:1001', '1003 + user:1001']);
  t.same(host.errors, []);
});
