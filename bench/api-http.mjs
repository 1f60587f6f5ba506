/**
 * HTTP publishes with counts to 3 local subscribers, per CPU second of the node, beside a bare uWebSockets.js handler that only
 * parses the same body and answers. 32 connections, one request under way on each.
 */
import { finish, httpLoad, measureLoad, subscribers } from './lib/api-load.mjs';
import { median, quick, report } from './lib/compare.mjs';
import { startScript } from './lib/process.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const ROUNDS = quick ? 1 : 3;
const SECONDS = 2;
const CONNECTIONS = 32;
const BODY = JSON.stringify({ c: 'user:1001', d: 'x'.repeat(64) });
const ANSWER = '{"E":null,"r":{"s":3,"f":0}}';

const node = await startLumesh(1);
const bare = await startScript(new URL('./servers/json-post.mjs', import.meta.url));
const audience = await subscribers(node, 'user:1001', 3);
const ours = { server: node.servers[0], port: node.apis[0], results: [], answered: 0 };
const theirs = { ...bare, results: [], answered: 0 };
for (let round = 0; round < ROUNDS; round++) {
  for (const side of [ours, theirs]) {
    const load = httpLoad(side.port, BODY, ANSWER, CONNECTIONS);
    await measureLoad(side.server, 0.5, load.count);
    side.results.push(await measureLoad(side.server, SECONDS, load.count));
    side.answered += await finish(load);
  }
}
const perSecond = ({ results }) => median(results.map((result) => result.perSecond)).toFixed(0);
console.log(`requests per second: lumesh ${perSecond(ours)}, bare ${perSecond(theirs)}`);
await audience.close(ours.answered);
await Promise.all([node.stop(), bare.server.stop()]);
const perCpu = ({ results }) => median(results.map((result) => result.perCpuSecond));
report({
  claim: 'HTTP publish with counts to 3 subscribers, of a bare JSON POST handler',
  ours: perCpu(ours),
  baseline: perCpu(theirs),
  ratio: perCpu(ours) / perCpu(theirs),
  unit: 'requests per CPU second',
});
