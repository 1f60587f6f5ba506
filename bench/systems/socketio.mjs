/**
 * Socket.IO 4 with the Redis adapter, `count` processes and one redis-server (whose CPU is counted as well). Its protocol is
 * spoken by hand on a WebSocket.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { frame, PONG_TEXT, RawClient } from '../clients/websocket.mjs';
import { freePort, startProgram, startScript } from '../lib/process.mjs';

const PACKAGE = new URL('../peers/node_modules/socket.io/package.json', import.meta.url);

export const socketioVersion = () => {
  const redis = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  if (redis.error || !existsSync(PACKAGE)) return null;
  return `socket.io ${JSON.parse(readFileSync(PACKAGE, 'utf8')).version}, redis ${/v=(\S+)/.exec(redis.stdout)?.[1]}`;
};

export async function startSocketio(count = 1) {
  const redisPort = await freePort();
  const redis = await startProgram(
    'redis-server',
    ['--port', redisPort, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'].map(String),
    (output) => output.includes('Ready to accept connections'),
  );
  const script = new URL('../peers/socketio-server.mjs', import.meta.url);
  const nodes = [];
  for (let i = 0; i < count; i++) nodes.push(await startScript(script, [redisPort]));
  return {
    name: 'Socket.IO + Redis',
    servers: [...nodes.map(({ server }) => server), redis],
    address: (node = 0) => ({ port: nodes[node % count].port, path: '/socket.io/?EIO=4&transport=websocket' }),
    subscribe: join,
    settle: () => new Promise((resolve) => setTimeout(resolve, 300)),
    publisher: async (node = 0) => {
      const client = await RawClient.open({
        port: nodes[node % count].port,
        path: '/socket.io/?EIO=4&transport=websocket',
      });
      await connected(client);
      let batch = [];
      return {
        publish: (channel, payload) =>
          batch.push(frame(Buffer.from(`42["p","${channel}","${payload.latin1Slice()}"]`))),
        flush() {
          client.write(Buffer.concat(batch));
          batch = [];
        },
        close: () => client.close(),
      };
    },
    stop: async () => {
      await Promise.all(nodes.map(({ server }) => server.stop()));
      await redis.stop();
    },
  };
}

/** The engine's "0{…}", answered with "40", answered with "40{…}". */
function connected(client) {
  return new Promise((resolve) => {
    client.listen((_client, buffer, start) => {
      if (buffer[start] === 48) client.send('40');
      else resolve();
    });
  });
}

async function join(client, channel) {
  await connected(client);
  await new Promise((resolve) => {
    client.onMessage = resolve;
    client.send(`42["s","${channel}"]`);
  });
  // Messages look like 42["m","…"]; the user wants what is between the quotes.
  client.onFrame = (_client, buffer, start, end) => {
    if (buffer[start] === 50) client.write(PONG_TEXT);
    else client.onMessage(client, buffer, start + 8, end - 2);
  };
}
