/** Claim D: 200 messages per second from node 1 to 100 subscribers on node 2: the 99th percentile is no worse than NATS'. */
import { absent, measure, report } from './lib/compare.mjs';
import { latency } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { natsVersion, startNats } from './systems/nats.mjs';

const CLAIM = 'D: 99th percentile of delivery time across two nodes, against NATS';
console.log('D: two nodes, 200 messages/s from 1 to 100 subscribers on 2');
if (!natsVersion()) absent(CLAIM, 'nats-server is not installed');
const { nats, lumesh } = await measure({
  nats: () => latency(() => startNats(2)),
  lumesh: () => latency(() => startLumesh(2)),
});
report({
  claim: CLAIM,
  ours: lumesh['p99 ms'],
  baseline: nats['p99 ms'],
  ratio: nats['p99 ms'] / lumesh['p99 ms'],
  unit: 'ms (ratio above 1: lumesh is faster)',
});
process.exit();
