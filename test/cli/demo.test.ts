/** What a newcomer meets: `lumesh demo`, which `npm start` runs, on ports that are free here. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createServer, type Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Client } from '../node/cluster.js';
import { claimPorts } from '../ports.js';

const main = fileURLToPath(new URL('../../dist/main.js', import.meta.url));

/** Ports of the first node; the others' are 10 and 20 higher. */
async function demoPorts(): Promise<{ peers: number; api: number; grpc: number; clients: number }> {
  const [peers, api, grpc, clients] = await claimPorts(24);
  return { peers, api, grpc, clients };
}

/** A server on this port; null when the port is taken. */
function hold(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function demo(ports: Awaited<ReturnType<typeof demoPorts>>): { child: ChildProcess; said: () => string } {
  const env = {
    PATH: process.env.PATH,
    LUMESH_CLUSTER_PORT: String(ports.peers),
    LUMESH_API_PORT: String(ports.api),
    LUMESH_API_GRPCPORT: String(ports.grpc),
    LUMESH_SERVERS_0_PORT: String(ports.clients),
  };
  const child = spawn(process.execPath, [main, 'demo'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (bytes: Buffer) => {
      said += bytes;
      child.emit('said');
    });
  }
  return { child, said: () => said };
}

const exitOf = (child: ChildProcess) => new Promise<number | null>((resolve) => child.once('exit', resolve));

t.test('three nodes come up, the printed lines work as they stand, and Ctrl-C ends all of them', async (t) => {
  const ports = await demoPorts();
  const { child, said } = demo(ports);
  t.teardown(() => child.kill('SIGKILL'));
  const exit = exitOf(child);
  while (!said().includes('Ctrl-C ends')) await new Promise((resolve) => child.once('said', resolve));
  for (const shift of [0, 10, 20]) {
    t.match(said(), `clients ws://127.0.0.1:${ports.clients + shift}  API http://127.0.0.1:${ports.api + shift}`);
  }
  const [, url] = /^ {2}npx lumesh connect (ws:\S+)$/m.exec(said()) ?? [];
  const [, subscribe] = /^ {2}(\{.*\})$/m.exec(said()) ?? [];
  const [, path, body] = /^ {2}curl -X POST (\S+) -H 'content-type: application\/json' -d '(.*)'$/m.exec(said()) ?? [];
  const client = await Client.open(url.replace('ws://', ''));
  client.send(subscribe);
  t.equal(await client.text(), '{"op":"subscribe","channel":"user:1001","success":true}');
  t.notMatch(path, `:${ports.api}/`, 'another node than the one that the client is on');
  const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  t.equal(await answer.text(), '{"E":null,"r":{"s":1,"f":0}}');
  t.equal(await client.text(), 'Hello,World!');
  child.kill('SIGINT');
  t.equal((await client.closed).code, 1012);
  t.equal(await exit, 0);
  const held = await Promise.all([ports.clients, ports.clients + 10, ports.clients + 20].map(hold));
  for (const server of held) t.ok(server?.close(), 'its port is free again');
});

t.test('a port that is taken is named with its setting, and all nodes end with code 2', async (t) => {
  const ports = await demoPorts();
  const taken = await hold(ports.clients + 10);
  t.teardown(() => taken?.close());
  const { child, said } = demo(ports);
  t.teardown(() => child.kill('SIGKILL'));
  t.equal(await exitOf(child), 2);
  t.match(said(), `servers.0.port: port ${ports.clients + 10} on 127.0.0.1 is taken by another process`);
  t.match(said(), 'node 2 did not start');
});
