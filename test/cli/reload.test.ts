/** A running process whose configuration file changes. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const users = 'users: [{ username: ann, password: secret }]';
const ann = { authorization: `Basic ${Buffer.from('ann:secret').toString('base64')}` };

/** A ready node that reads a file; how to change that file, what it wrote to its log, and what its API answers. */
async function running(t: Test) {
  const file = join(t.testdir({}), 'lumesh.yaml');
  const change = (live: string) => {
    const rest = 'cluster: { port: 0 }\napi: { port: 0, grpcPort: 0 }\nservers: []\ndrainSeconds: 0\n';
    // In one step: the node looks at the file whenever it likes.
    writeFileSync(`${file}.new`, rest + live);
    renameSync(`${file}.new`, file);
  };
  change('');
  const child = fork(main, ['start', '--config', file], {
    silent: true,
    execArgv: [],
    env: { PATH: process.env.PATH },
  });
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  child.stdout?.on('data', (bytes) => {
    said += bytes;
  });
  const [{ addresses }] = await once(child, 'message');
  const status = async (headers = {}) => (await fetch(`http://${addresses.api}/v1/version`, { headers })).status;
  return {
    file,
    change,
    child,
    status,
    /** The next line that has this text, among those that were not yet asked for. */
    async line(text: string): Promise<string> {
      const pattern = new RegExp(`^.*${text}.*(\n {4}.*)*\n(?=.|$)`, 'm');
      for (;;) {
        const found = pattern.exec(said);
        if (found) {
          said = said.slice(found.index + found[0].length);
          return found[0];
        }
        await once(child.stdout as Readable, 'data');
      }
    },
    rest: () => said,
  };
}

t.test('level, format and users of a changed file are taken over, and nothing of a broken one', async (t) => {
  const { file, change, child, line, rest, status } = await running(t);
  t.match(JSON.parse(await line('ready')), { level: 30, msg: 'ready' });
  t.equal(await status(), 200);

  change(`logging: { format: pretty }\naccess: { ${users} }\n`);
  t.match(
    await line('configuration taken over'),
    /^\[[0-9:.]+\] .*INFO.*: .*configuration taken over/,
    'without a signal',
  );
  t.equal(await status(), 401);
  t.equal(await status(ann), 200);

  writeFileSync(file, '');
  child.kill('SIGHUP');
  t.match(await line('the running one stays'), /is empty, expected settings/, 'as an editor may leave it for a moment');
  t.equal(await status(), 401);

  change('logging: { level: loud, format: json }\naccess: { users: [] }\n');
  child.kill('SIGHUP');
  const why = await line('the running one stays');
  t.match(why, /^\[[0-9:.]+\] .*ERROR.*: .*the changed configuration cannot be used, the running one stays/);
  t.equal(await status(), 401);
  t.equal(await status(ann), 200);

  change('logging: { level: warn }\n');
  child.kill('SIGHUP');
  while ((await status()) === 401) await new Promise(setImmediate);
  t.notMatch(rest(), 'configuration taken over', 'which is a line of level info');
  change('clustr: {}\n');
  child.kill('SIGHUP');
  t.match(JSON.parse(await line('"path":"clustr"')), { level: 50, msg: /the running one stays/ });
  t.equal(await status(), 200);
});
