/** Publishes over HTTP, the WebSocket API and gRPC:  node client.mjs API_URL GRPC_ADDRESS CHANNEL TEXT */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { WebSocket } from 'ws';

const [api, grpcAddress, channel, text] = process.argv.slice(2);
const user = process.env.LUMESH_USER;
const login = user ? { authorization: `Basic ${Buffer.from(user).toString('base64')}` } : {};

function result(answer) {
  if (answer.E) throw new Error(`error ${answer.E.c}: ${answer.E.m}`);
  return answer.r;
}

async function overHttp() {
  const body = JSON.stringify({ c: channel, d: text });
  const headers = { 'content-type': 'application/json', ...login };
  const response = await fetch(`${api}/v1/mesh/publish`, { method: 'POST', headers, body });
  return result(await response.json());
}

async function overWebSocket() {
  const socket = new WebSocket(`${api.replace('http', 'ws')}/ws/v1`, { headers: login });
  await once(socket, 'open');
  // Many calls may be under way on one connection; the answers carry their ids.
  socket.send(JSON.stringify({ m: 'mesh.publish', p: { c: channel, d: text }, i: 1 }));
  const [message] = await once(socket, 'message');
  socket.close();
  return result(JSON.parse(message));
}

async function overGrpc() {
  const proto = fileURLToPath(new URL('../../../proto/lumesh.proto', import.meta.url));
  const { Lumesh } = grpc.loadPackageDefinition(loadSync(proto, { longs: Number, defaults: true })).lumesh.v1;
  const client = new Lumesh(grpcAddress, grpc.credentials.createInsecure());
  const metadata = grpc.Metadata.fromHttp2Headers(login);
  const request = { channel, data: Buffer.from(text) };
  const reply = await new Promise((resolve, reject) => {
    const done = (error, value) => (error ? reject(error) : resolve(value));
    client.publish(request, metadata, { deadline: Date.now() + 10_000 }, done);
  });
  client.close();
  return { s: reply.success, f: reply.fail };
}

for (const [transport, publish] of Object.entries({ http: overHttp, websocket: overWebSocket, grpc: overGrpc })) {
  const { s, f } = await publish();
  console.log(`${transport}: success ${s}, fail ${f}`);
}
