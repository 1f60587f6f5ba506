/**
 * HTTP publishes with counts to 3 local subscribers, per CPU second of the node, beside a bare uWebSockets.js handler that only
 * parses the same body and answers. 32 connections, one request under way on each.
 */
import { httpLoad, measure, startBare, startNode, subscribers } from './api-parts.mjs';
import { median, quick, report } from './lib/compare.mjs';

const ROUNDS = quick ? 1 : 3;
const SECONDS = 2;
const CONNECTIONS = 32;
const BODY = JSON.stringify({ c: 'user:1001', d: 'x'.repeat(64) });
const ANSWER = '{"E":null,"r":{"s":3,"f":0}}';

const node = await startNode();
const bare = await startBare();
const audience = await subscribers(node.clients, 'user:1001', 3);
const [ours, theirs] = [[], []];
for (let round = 0; round < ROUNDS; round++) {
  for (const [server, results] of [
    [node, ours],
    [bare, theirs],
  ]) {
    const load = httpLoad(server.api, BODY, ANSWER, CONNECTIONS);
    await measure(server.pid, 0.5, load.count);
    results.push(await measure(server.pid, SECONDS, load.count));
    load.close();
  }
}
console.log(`${audience.bytes() / 66} deliveries checked by their bytes`);
const perSecond = (results) => median(results.map((result) => result.perSecond)).toFixed(0);
console.log(`requests per second: lumesh ${perSecond(ours)}, bare ${perSecond(theirs)}`);
audience.close();
await Promise.all([node.stop(), bare.stop()]);
const perCpu = (results) => median(results.map((result) => result.perCpuSecond));
report({
  claim: 'HTTP publish with counts to 3 subscribers, of a bare JSON POST handler',
  ours: perCpu(ours),
  baseline: perCpu(theirs),
  ratio: perCpu(ours) / perCpu(theirs),
  unit: 'requests per CPU second',
});
