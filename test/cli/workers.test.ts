import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Client } from '../node/cluster.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

t.test('--workers runs nodes that share the ports and are members of one mesh', async (t) => {
  const settings = [
    'node.id=w',
    'cluster.port=0',
    'api.port=0',
    'api.grpcPort=0',
    'servers.0.port=0',
    'servers.0.bind=127.0.0.1',
  ];
  const flags = [...settings, 'cluster.profile=local', 'drainSeconds=0'].flatMap((flag) => ['--set', flag]);
  const child = fork(main, ['start', '--workers', '2', ...flags], {
    silent: true,
    execArgv: [],
    env: { PATH: process.env.PATH },
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.teardown(() => child.kill('SIGKILL'));
  let said = '';
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on('data', (bytes: Buffer) => {
      said += bytes.toString();
      if (/nodes share/.test(said)) resolve();
    });
    ended.then(() => reject(new Error(`ended: ${said}`)));
  });
  const [, clients, api] = /2 nodes share (\S+) and (\S+)/.exec(said) ?? [];
  const answer = (await (await fetch(`http://${api}/v1/nodes`)).json()) as { r: { nodeId: string }[] };
  t.same(
    answer.r.map((node) => node.nodeId),
    ['w', 'w.2'],
  );

  // The kernel spreads connections over the processes: with so many, both have some, and a publish reaches all.
  const connections = await Promise.all(Array.from({ length: 32 }, () => Client.open(clients)));
  for (const client of connections) t.match(await client.ask({ op: 'subscribe', channel: 'c' }), { success: true });
  t.same(await connections[0].ask({ op: 'publish', channel: 'other', data: 'x' }), {
    op: 'publish',
    success: 0,
    fail: 0,
  });
  const response = await fetch(`http://${api}/v1/mesh/publish`, { method: 'POST', body: '{"c":"c","d":"hello"}' });
  t.equal(await response.text(), '{"E":null,"r":{"s":32,"f":0}}');
  for (const client of connections) {
    t.equal(await client.text(), 'hello');
    client.close();
  }
  child.kill('SIGHUP');
  while (said.split('configuration taken over').length < 3) await once(child.stdout as Readable, 'data');
  child.kill('SIGTERM');
  t.equal(await ended, 0);
});
