/**
 * WebSocket API publishes with counts to 3 local subscribers, beside HTTP publishes on the same node: per CPU second of the node.
 * One WebSocket connection with 512 calls under way; HTTP on 32 connections.
 */
import { finish, httpLoad, measureLoad, subscribers, webSocketLoad } from './lib/api-load.mjs';
import { median, quick, report } from './lib/compare.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const ROUNDS = quick ? 1 : 3;
const SECONDS = 2;
const params = { c: 'user:1001', d: 'x'.repeat(64) };
const CALL = JSON.stringify({ m: 'mesh.publish', p: params, i: 1 });

const node = await startLumesh(1);
const [server] = node.servers;
const audience = await subscribers(node, 'user:1001', 3);
const [ours, theirs] = [[], []];
let published = 0;
for (let round = 0; round < ROUNDS; round++) {
  const socket = await webSocketLoad(node.apis[0], CALL, '{"E":null,"r":{"s":3,"f":0},"i":1}', 512);
  await measureLoad(server, 0.5, socket.count);
  ours.push(await measureLoad(server, SECONDS, socket.count));
  published += await finish(socket);
  const http = httpLoad(node.apis[0], JSON.stringify(params), '{"E":null,"r":{"s":3,"f":0}}', 32);
  await measureLoad(server, 0.5, http.count);
  theirs.push(await measureLoad(server, SECONDS, http.count));
  published += await finish(http);
}
const perSecond = (results) => median(results.map((result) => result.perSecond)).toFixed(0);
console.log(`publishes per second: WebSocket ${perSecond(ours)}, HTTP ${perSecond(theirs)}`);
await audience.close(published);
await node.stop();
const perCpu = (results) => median(results.map((result) => result.perCpuSecond));
report({
  claim: 'WebSocket API publish with counts, of HTTP publish',
  ours: perCpu(ours),
  baseline: perCpu(theirs),
  ratio: perCpu(ours) / perCpu(theirs),
  unit: 'publishes per CPU second',
});
