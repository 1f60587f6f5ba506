/**
 * WebSocket API publishes with counts to 3 local subscribers, beside HTTP publishes on the same node: per CPU second of the node.
 * One WebSocket connection with 512 calls under way; HTTP on 32 connections.
 */
import { httpLoad, measure, startNode, subscribers, webSocketLoad } from './api-parts.mjs';
import { median, quick, report } from './lib/compare.mjs';

const ROUNDS = quick ? 1 : 3;
const SECONDS = 2;
const params = { c: 'user:1001', d: 'x'.repeat(64) };
const CALL = JSON.stringify({ m: 'mesh.publish', p: params, i: 1 });

const node = await startNode();
const audience = await subscribers(node.clients, 'user:1001', 3);
const [ours, theirs] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  const socket = await webSocketLoad(node.api, CALL, '{"E":null,"r":{"s":3,"f":0},"i":1}', 512);
  await measure(node.pid, 0.5, socket.count);
  ours.push(await measure(node.pid, SECONDS, socket.count));
  socket.close();
  const http = httpLoad(node.api, JSON.stringify(params), '{"E":null,"r":{"s":3,"f":0}}', 32);
  await measure(node.pid, 0.5, http.count);
  theirs.push(await measure(node.pid, SECONDS, http.count));
  http.close();
}
console.log(`${audience.bytes() / 66} deliveries checked by their bytes`);
const perSecond = (results) => median(results.map((result) => result.perSecond)).toFixed(0);
console.log(`publishes per second: WebSocket ${perSecond(ours)}, HTTP ${perSecond(theirs)}`);
audience.close();
await node.stop();
const perCpu = (results) => median(results.map((result) => result.perCpuSecond));
report({
  claim: 'WebSocket API publish with counts, of HTTP publish',
  ours: perCpu(ours),
  baseline: perCpu(theirs),
  ratio: perCpu(ours) / perCpu(theirs),
  unit: 'publishes per CPU second',
});
