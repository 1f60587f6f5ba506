/** Claim B: publisher on node 1, 500 subscribers on node 2, saturated: against a NATS cluster of two. */
import { absent, measure, report } from './lib/compare.mjs';
import { fanOut } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { natsVersion, startNats } from './systems/nats.mjs';

const CLAIM = 'B: fan-out across two nodes to 500 subscribers, against NATS';
console.log('B: two nodes, publisher on 1, 500 subscribers on 2, 64 bytes, 512 messages under way');
if (!natsVersion()) absent(CLAIM, 'nats-server is not installed');
const { nats, lumesh } = await measure({
  nats: () => fanOut(() => startNats(2), { node: 1 }),
  lumesh: () => fanOut(() => startLumesh(2), { node: 1 }),
});
report({
  claim: CLAIM,
  ours: lumesh['deliveries/CPU s'],
  baseline: nats['deliveries/CPU s'],
  ratio: lumesh['deliveries/CPU s'] / nats['deliveries/CPU s'],
  unit: 'deliveries per CPU second',
});
process.exit();
