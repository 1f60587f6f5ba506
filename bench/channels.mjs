/** Claim C: 5,000 channels with one subscriber each on two nodes, messages to random ones, with counts: against NATS (which has none). */
import { absent, measure, report } from './lib/compare.mjs';
import { manyChannels } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { natsVersion, startNats } from './systems/nats.mjs';

const CLAIM = 'C: 5,000 channels with one subscriber each, against NATS';
console.log('C: two nodes, 5,000 channels with one subscriber each, random messages of 64 bytes, 512 under way');
if (!natsVersion()) absent(CLAIM, 'nats-server is not installed');
const { nats, lumesh } = await measure({
  nats: () => manyChannels(() => startNats(2)),
  lumesh: () => manyChannels(() => startLumesh(2)),
});
report({
  claim: CLAIM,
  ours: 1e6 / lumesh['us CPU/delivery'],
  baseline: 1e6 / nats['us CPU/delivery'],
  ratio: nats['us CPU/delivery'] / lumesh['us CPU/delivery'],
  unit: 'deliveries per CPU second',
});
process.exit();
