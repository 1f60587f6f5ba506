/** Random bytes and random messages on every port of a running node, while another node publishes to one of its clients. */
import { once } from 'node:events';
import { connect } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { WebSocket } from 'ws';
import type { PublishResult } from '../../src/core/message.js';
import { Client, luaFolder, startNode, until } from './cluster.js';

const HEADS = [
  '',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  'GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  'GET /ws/v1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
  'POST /v1/mesh/publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n',
];

const portOf = (address: string) => Number(address.slice(address.lastIndexOf(':') + 1));

/** Writes bytes to a port and goes away in the middle of whatever the other side makes of them. */
async function throwAt(port: number, head: string, rest: Uint8Array): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(head);
  socket.write(rest);
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  socket.destroy();
}

/** Sends messages over a proper WebSocket and goes away without a word. */
async function sendTo(url: string, messages: readonly (string | Uint8Array)[]): Promise<void> {
  const socket = new WebSocket(url);
  socket.on('error', () => {});
  await once(socket, 'open');
  for (const message of messages) socket.send(message);
  await new Promise(setImmediate);
  socket.terminate();
}

t.test('a node under random input still delivers every message, and keeps nothing of what is gone', async (t) => {
  const websocket = { port: 0, bind: '127.0.0.1', entry: `${luaFolder}entry.websocket.lua` };
  const socket = { port: 0, bind: '127.0.0.1', protocol: 'socket' as const, entry: `${luaFolder}entry.socket.lua` };
  const node = await startNode('fuzzed', { servers: [websocket, socket] });
  t.teardown(() => node.close());
  const other = await startNode('other', { servers: [], cluster: { seeds: [node.addresses.peers] } });
  t.teardown(() => other.close());
  const { clients, api, grpc, peers } = node.addresses;
  const ports = [...clients, api, grpc, peers].map(portOf);
  const client = await Client.open(clients[0]);
  await client.ask({ op: 'subscribe', channel: 'steady' });

  const message = fc.oneof(
    fc.json({ maxDepth: 3 }),
    fc.string({ unit: 'binary', maxLength: 60 }),
    fc.uint8Array({ maxLength: 60 }),
    fc
      .record({
        op: fc.constantFrom('subscribe', 'unsubscribe', 'publish'),
        channel: fc.jsonValue(),
        data: fc.jsonValue(),
      })
      .map((request) => JSON.stringify(request)),
    fc
      .record({
        m: fc.constantFrom('mesh.subscribe', 'mesh.psubscribe', 'queue.pop', 'mesh.publish'),
        p: fc.jsonValue(),
        i: fc.jsonValue(),
      })
      .map((request) => JSON.stringify(request)),
  );
  let published = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...HEADS),
      fc.uint8Array({ minLength: 1, maxLength: 400 }),
      fc.array(message, { maxLength: 5 }),
      async (head, bytes, messages) => {
        const attack = [
          ...ports.map((port) => throwAt(port, head, bytes)),
          sendTo(`ws://${clients[0]}/`, messages),
          sendTo(`ws://${api}/ws/v1`, messages),
        ];
        const text = `steady ${published++}`;
        const result = await new Promise<PublishResult>((resolve) => {
          other.mesh.publish('steady', new TextEncoder().encode(text), false, resolve);
        });
        await Promise.all(attack);
        return result.success === 1 && result.fail === 0 && (await client.text()) === text;
      },
    ),
    { numRuns: 60 },
  );

  const kept = async () => {
    const metrics = await (await fetch(`http://${api}/metrics`)).text();
    const sum = (name: string) =>
      [...metrics.matchAll(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, 'gm'))].reduce(
        (all, [, n]) => all + Number(n),
        0,
      );
    return [
      sum('lumesh_connections'),
      sum('lumesh_api_connections'),
      sum('lumesh_subscriptions'),
      sum('lumesh_publishes_waiting'),
    ];
  };
  while ((await kept()).join() !== '1,0,1,0') await new Promise(setImmediate);
  t.equal(node.mesh.notReadyReasons().length, 0);
  await until(() => other.mesh.counts().publishesWaiting === 0);
  client.close();
});
