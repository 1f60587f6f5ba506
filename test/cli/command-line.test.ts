import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { verifyScrypt } from '../../src/api/password.js';
import { run } from '../../src/cli/program.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'lumesh-cli-'));
t.teardown(() => rmSync(folder, { recursive: true }));

function lumesh(...args: string[]): { code: number | null; out: string; err: string } {
  const { LUMESH_USER: _user, ...env } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', env });
  return { code: status, out: stdout, err: stderr };
}

/** Runs a command in this process; its code and what it said on standard error. */
async function runHere(t: Test, ...args: string[]): Promise<{ code: number; err: string }> {
  const written = t.capture(process.stderr, 'write', () => true);
  const code = await run(args);
  const err = written()
    .map(({ args: [text] }) => String(text))
    .join('');
  written.restore();
  return { code, err };
}

t.test('wrong usage ends with 2 and says what is known', async (t) => {
  t.match(await runHere(t, 'strat'), { code: 2, err: /unknown command 'strat'/ });
  t.match(await runHere(t, 'publish', 'c'), { code: 2, err: /missing required argument 'data'/ });
  t.match(await runHere(t, 'demo', '--nodes', 'many'), { code: 2, err: /expected a whole number/ });
  t.match(await runHere(t, 'connect', 'localhost'), { code: 2, err: /expected ws:/ });
  t.match(await runHere(t, 'members', '--api', 'localhost:6789'), { code: 2, err: /expected http:/ });
  t.match(await runHere(t, 'start', '--workers', '0'), { code: 2, err: /expected 1 or more/ });
});

t.test('a broken configuration ends with 2, every problem named, and nothing started', async (t) => {
  const file = join(folder, 'broken.yaml');
  writeFileSync(file, 'cluster: { port: 70000 }\nservers: [{ onSlow: wait }]\n');
  for (const { code, err } of [await runHere(t, 'config', 'check', file), lumesh('start', '--config', file)]) {
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

/** The port of a server that closes with the test; without an answer of its own, a port where nobody listens. */
async function serve(t: Test, answer?: RequestListener): Promise<number> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  if (answer) t.teardown(() => server.close());
  else await new Promise((resolve) => server.close(resolve));
  return port;
}

t.test('a node that cannot be reached ends with 3 and the reason', async (t) => {
  const port = await serve(t);
  for (const args of [
    ['members', '--api', `http://127.0.0.1:${port}`],
    ['subscribe', 'c', '--api', `http://127.0.0.1:${port}`],
    ['connect', `ws://127.0.0.1:${port}`],
  ]) {
    t.match(await runHere(t, ...args), { code: 3, err: /cannot be reached \(ECONNREFUSED\)/ });
  }
});

t.test('a server that is something else is shown by what it says', async (t) => {
  const port = await serve(t, (_, response) => response.writeHead(404).end('this is a teapot\n'));
  t.match(await runHere(t, 'connect', `ws://127.0.0.1:${port}`), { code: 3, err: /\(404 this is a teapot\)/ });
  t.match(await runHere(t, 'members', '--api', `http://127.0.0.1:${port}`), {
    code: 3,
    err: /no JSON: this is a teapot/,
  });
});

t.test('a reader that has seen enough ends a command without a complaint', async (t) => {
  const { stdout, stderr } = spawnSync('sh', ['-c', `"${process.execPath}" "${main}" config print | head -n 1`], {
    encoding: 'utf8',
  });
  t.match(stdout, /^# Name of the node/);
  t.equal(stderr, '');
});

t.test('a no of the mesh ends with 1 and its reason; the login is sent', async (t) => {
  let authorization: string | undefined;
  const port = await serve(t, (request, response) => {
    authorization = request.headers.authorization;
    response.setHeader('content-type', 'application/json');
    response.end('{"E":{"c":401,"m":"there is no connection 7"}}');
  });
  const said = await runHere(t, 'send', '7', 'x', '--api', `http://127.0.0.1:${port}`, '--user', 'ann:secret');
  t.same(said, { code: 1, err: 'lumesh: error 401: there is no connection 7\n' });
  t.equal(authorization, `Basic ${Buffer.from('ann:secret').toString('base64')}`);
});

t.test('config hash reads the password from standard input, where no list of processes shows it', async (t) => {
  for (const args of [
    ['config', 'hash'],
    ['config', 'hash', '-'],
  ]) {
    const piped = spawnSync(process.execPath, [main, ...args], { encoding: 'utf8', input: 'pass word\n' });
    t.match(piped, { status: 0, stderr: '' });
    t.ok(await verifyScrypt('pass word', piped.stdout.trim()), args.join(' '));
  }
  const empty = spawnSync(process.execPath, [main, 'config', 'hash'], { encoding: 'utf8', input: '\n' });
  t.match(empty, { status: 2, stdout: '', stderr: /no password was given/ });
});

t.test('config hash asks at a terminal, and does not show what is typed', { skip: noTerminal() }, async (t) => {
  const terminal = spawn('script', ['-qec', `"${process.execPath}" "${main}" config hash`, '/dev/null']);
  let shown = '';
  terminal.stdout.on('data', (chunk) => {
    const asked = shown.includes('Password: ');
    shown += chunk;
    if (!asked && shown.includes('Password: ')) terminal.stdin.write('hunter2\r');
  });
  await new Promise((resolve) => terminal.on('close', resolve));
  t.notMatch(shown, /hunter2/);
  t.ok(await verifyScrypt('hunter2', /scrypt\S+/.exec(shown)?.[0] ?? ''), shown);
});

/** Why there is no terminal to be had for a test; false when there is. */
function noTerminal(): string | false {
  const { status } = spawnSync('script', ['-qec', 'true', '/dev/null']);
  return status === 0 ? false : 'needs the script of util-linux';
}
