/** What a running node takes over from a changed configuration. */
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { type DeepPartial, loadConfig } from '../../src/config/load.js';
import type { Config } from '../../src/config/schema.js';
import { post, quietLog, startNode } from './cluster.js';

const MESSAGE = { c: 'c', d: 'x' };
const users = [{ username: 'a', password: 'b' }];
const peerFile = (name: string) => fileURLToPath(new URL(`../links/tls/${name}`, import.meta.url));

/** A running node without clients' ports, what it logs, and how to change its configuration. */
async function running(t: import('tap').Test, settings: DeepPartial<Config>) {
  const lines: { level: string; message: string; fields?: unknown }[] = [];
  const node = await startNode('one', { servers: [], ...settings }, quietLog(lines));
  t.teardown(() => node.close());
  const reload = (changed: DeepPartial<Config>) =>
    node.reload(
      loadConfig({
        settings: {
          ...changed,
          drainSeconds: 0,
          node: { id: 'one' },
          cluster: { port: 0, profile: 'local', ...changed.cluster },
          api: { port: 0, grpcPort: 0, ...changed.api },
          servers: [],
        },
      }),
    );
  return { node, lines, reload };
}

t.test('users are taken over; the log names what needs a restart for as long as it does', async (t) => {
  const { node, lines, reload } = await running(t, {});
  t.equal(await post(node, '/v1/mesh/publish', MESSAGE), '{"E":null,"r":{"s":0,"f":0}}');
  for (let times = 0; times < 2; times++) {
    reload({ access: { users }, lua: { cpuLimitMs: 500 } });
    t.same(lines.at(-1)?.fields, { restartNeededFor: ['lua'] });
  }
  t.match(await post(node, '/v1/mesh/publish', MESSAGE), /"c":102/);
  reload({});
  t.same(lines.at(-1)?.fields, {});
  t.equal(await post(node, '/v1/mesh/publish', MESSAGE), '{"E":null,"r":{"s":0,"f":0}}');
});

t.test('users cannot be taken away while the API listens to everybody', async (t) => {
  const { node, lines, reload } = await running(t, { api: { bind: '0.0.0.0' }, access: { users } });
  reload({ api: { bind: '127.0.0.1' } });
  t.match(lines.at(-2), { level: 'error', message: /users are not taken over/, fields: { reason: /access\.users/ } });
  t.match(await post(node, '/v1/mesh/publish', MESSAGE), /"c":102/);
});

t.test('the certificates of peers are read again, too', async (t) => {
  const folder = t.testdir({});
  for (const name of ['node-a.crt', 'node-a.key', 'ca.crt']) copyFileSync(peerFile(name), join(folder, name));
  const tls = { cert: join(folder, 'node-a.crt'), key: join(folder, 'node-a.key'), ca: join(folder, 'ca.crt') };
  const { lines, reload } = await running(t, { cluster: { tls } });
  copyFileSync(peerFile('node-b.key'), tls.key);
  reload({ cluster: { tls } });
  t.ok(lines.some(({ level, fields }) => level === 'error' && /cluster\.tls/.test(JSON.stringify(fields))));
});
