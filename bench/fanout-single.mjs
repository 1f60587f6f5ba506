/** Claim B1: as B, one message at a time: against a NATS cluster of two. */
import { absent, measure, report } from './lib/compare.mjs';
import { fanOut } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { natsVersion, startNats } from './systems/nats.mjs';

const CLAIM = 'B1: fan-out across two nodes, one message at a time, against NATS';
console.log('B1: two nodes, publisher on 1, 500 subscribers on 2, 64 bytes, one message under way');
if (!natsVersion()) absent(CLAIM, 'nats-server is not installed');
const { nats, lumesh } = await measure({
  nats: () => fanOut(() => startNats(2), { node: 1, window: 1 }),
  lumesh: () => fanOut(() => startLumesh(2), { node: 1, window: 1 }),
});
report({
  claim: CLAIM,
  ours: lumesh['deliveries/CPU s'],
  baseline: nats['deliveries/CPU s'],
  ratio: lumesh['deliveries/CPU s'] / nats['deliveries/CPU s'],
  unit: 'deliveries per CPU second',
});
process.exit();
