/** Claim H: the CPU that a delivery costs stays flat from 1 to 6 nodes on the same cores, in the scenarios A and C. */
import { format, report } from './lib/compare.mjs';
import { fanOut, manyChannels } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const COUNTS = [1, 2, 3, 6];
const costs = { fan: [], channels: [] };
for (const count of COUNTS) {
  const fan = await fanOut(() => startLumesh(count), { node: count - 1 });
  const channels = await manyChannels(() => startLumesh(count), { nodes: count });
  costs.fan.push(fan['us CPU/delivery']);
  costs.channels.push(channels['us CPU/delivery']);
  console.log(
    `  ${count} nodes: fan-out ${format(fan['us CPU/delivery'])} us, channels ${format(channels['us CPU/delivery'])} us of CPU per delivery`,
  );
}
// One node has no link to cross; from two on, more nodes should cost nothing.
const [, two] = costs.channels;
const six = costs.channels.at(-1);
report({
  claim: 'H: CPU per delivery on 5,000 channels with six nodes, against two',
  ours: six,
  baseline: two,
  ratio: two / six,
  unit: 'us per delivery (ratio 1: flat)',
  ...costs,
});
process.exit();
