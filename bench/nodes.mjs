/**
 * Claim H: the CPU that a delivery costs stays flat from 1 to 6 nodes on the same cores, in the scenarios A and C. In C each
 * node gets the same load whatever their number: 256 messages under way for each. A fixed number for all of them would leave
 * less and less to gather, and measure that. Nodes are warm when it begins: six of them compile six times as much.
 */
import { format, lower, quick } from './lib/compare.mjs';
import { fanOut, manyChannels } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const COUNTS = [1, 2, 3, 6];
const WINDOW_PER_NODE = 256;
const WARM_UP_MS = quick ? 1000 : 20_000;
const costs = { fan: [], channels: [] };
for (const count of COUNTS) {
  const fan = await fanOut(() => startLumesh(count), { node: count - 1 });
  const load = { nodes: count, window: WINDOW_PER_NODE * count, warmUpMs: WARM_UP_MS };
  const channels = await manyChannels(() => startLumesh(count), load);
  costs.fan.push(fan['us CPU/delivery']);
  costs.channels.push(channels['us CPU/delivery']);
  console.log(
    `  ${count} nodes: fan-out ${format(fan['us CPU/delivery'])} us, channels ${format(channels['us CPU/delivery'])} us of CPU per delivery`,
  );
}
// One node has no link to cross; from two on, more nodes should cost nothing.
const claim = (what, cost) =>
  lower(
    `H: CPU per delivery ${what} with six nodes, against two`,
    cost.at(-1),
    cost[COUNTS.indexOf(2)],
    'us per delivery (ratio 1: flat)',
  );
console.log(
  JSON.stringify([claim('to 500 subscribers of one channel', costs.fan), claim('on 5,000 channels', costs.channels)]),
);
process.exit();
