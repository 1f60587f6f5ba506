/**
 * Claim H: the CPU that a delivery costs stays flat from 1 to 6 nodes on the same cores, in the scenarios A and C. In C each
 * node gets the same load whatever their number: 256 messages under way for each. A fixed number for all of them would leave
 * less and less to gather, and measure that. Nodes are warm when it begins: six of them compile six times as much.
 */
import { lower, measure, quick } from './lib/compare.mjs';
import { fanOut, manyChannels } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { natsVersion, startNats } from './systems/nats.mjs';

const COUNTS = [1, 2, 6];
const WINDOW_PER_NODE = 256;
const WARM_UP_MS = quick ? 1000 : 20_000;
const COST = 'us CPU/delivery';

const sides = {};
for (const count of COUNTS) {
  const load = { nodes: count, window: WINDOW_PER_NODE * count };
  sides[`fan-out, ${count}`] = () => fanOut(() => startLumesh(count), { node: count - 1 });
  sides[`channels, ${count}`] = () => manyChannels(() => startLumesh(count), { ...load, warmUpMs: WARM_UP_MS });
  if (natsVersion()) sides[`channels, ${count}, NATS`] = () => manyChannels(() => startNats(count), load);
}
const medians = await measure(sides);
const cost = (side) => medians[side][COST];

// One node has no link to cross; from two on, more nodes should cost nothing.
const flat = (claim, side) =>
  lower(`H: CPU per delivery ${claim}`, cost(`${side}, 6`), cost(`${side}, 2`), 'us per delivery (ratio 1: flat)');
const claims = [
  flat('to 500 subscribers of one channel with six nodes, against two', 'fan-out'),
  flat('on 5,000 channels with six nodes, against two', 'channels'),
];
const against = 'H: CPU per delivery on 5,000 channels with six nodes, against NATS with six';
claims.push(
  natsVersion()
    ? lower(
        against,
        cost('channels, 6'),
        cost('channels, 6, NATS'),
        'us per delivery (ratio above 1: lumesh is cheaper)',
      )
    : { claim: against, missing: 'nats-server is not installed' },
);
console.log(JSON.stringify(claims));
process.exit();
