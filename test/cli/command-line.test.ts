import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { run } from '../../src/cli/program.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lumesh-cli-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function lumesh(...args: string[]): { code: number | null; out: string; err: string } {
  const { LUMESH_USER: _user, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
  return { code: status, out: stdout, err: stderr };
}

t.test('wrong usage ends with 2 and says what is known', async (t) => {
  t.match(lumesh('strat'), { code: 2, err: /unknown command 'strat'/ });
  t.match(lumesh('publish', 'c'), { code: 2, err: /missing required argument 'data'/ });
  t.match(lumesh('demo', '--nodes', 'many'), { code: 2, err: /expected a whole number/ });
  t.match(lumesh('connect', 'localhost'), { code: 2, err: /expected ws:/ });
});

t.test('a broken configuration ends with 2, every problem named, and nothing started', async (t) => {
  const file = join(folder, 'broken.yaml');
  writeFileSync(file, 'cluster: { port: 70000 }\nservers: [{ onSlow: wait }]\n');
  for (const args of [
    ['config', 'check', file],
    ['start', '--config', file],
  ]) {
    const { code, err } = lumesh(...args);
    t.equal(code, 2);
    t.match(err, /cluster\.port: 70000 is not allowed, expected integer 0 to 65535/);
    t.match(err, /servers\.0\.onSlow: "wait" is not allowed, expected one of close, drop/);
  }
});

t.test('config print shows value and source of every setting, and no secret', async (t) => {
  const { code, out } = lumesh(
    'config',
    'print',
    '--json',
    '--set',
    'api.port=7000',
    '--set',
    'cluster.secret=hunter2',
  );
  t.equal(code, 0);
  const rows = JSON.parse(out) as { path: string; value: unknown; source: string }[];
  t.match(
    rows.find((row) => row.path === 'api.port'),
    { value: 7000, source: '--set' },
  );
  t.match(
    rows.find((row) => row.path === 'cluster.port'),
    { value: 6788, source: 'default' },
  );
  t.notMatch(out, /hunter2/);
});

t.test('a node that cannot be reached ends with 3', async (t) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const { code, err } = lumesh('members', '--api', `http://127.0.0.1:${port}`);
  t.equal(code, 3);
  t.match(err, /cannot be reached \(ECONNREFUSED\)/);
});

t.test('a no of the mesh ends with 1 and its reason; the login is sent', async (t) => {
  let authorization: string | undefined;
  const server = createServer((request, response) => {
    authorization = request.headers.authorization;
    response.setHeader('content-type', 'application/json');
    response.end('{"E":{"c":401,"m":"there is no connection 7"}}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const { port } = server.address() as AddressInfo;
  const code = await run(['send', '7', 'x', '--api', `http://127.0.0.1:${port}`, '--user', 'ann:secret']);
  t.equal(code, 1);
  t.equal(authorization, `Basic ${Buffer.from('ann:secret').toString('base64')}`);
});
