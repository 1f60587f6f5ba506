/**
 * Claim D: 200 messages per second from node 1 to 100 subscribers on node 2: the 99th percentile is no worse than NATS'. Bare
 * uWebSockets.js, one process that does both, shows what the way over a second node adds.
 */
import { lower, measure, quick } from './lib/compare.mjs';
import { latency } from './lib/scenarios.mjs';
import { startBare } from './systems/bare.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { natsVersion, startNats } from './systems/nats.mjs';

const PARTS = { median: 'p50 ms', '99th percentile': 'p99 ms' };

console.log('D: two nodes, 200 messages/s from 1 to 100 subscribers on 2');
const sides = { bare: () => latency(startBare, { node: 0 }), lumesh: () => latency(() => startLumesh(2)) };
if (natsVersion()) sides.nats = () => latency(() => startNats(2));
// A tail needs more rounds than a rate.
const medians = await measure(sides, { rounds: quick ? 1 : 5 });
const claim = (part, name, other) => {
  const text = `D: ${part} of delivery time across two nodes, against ${name}`;
  if (!other) return { claim: text, missing: 'nats-server is not installed' };
  return lower(text, medians.lumesh[PARTS[part]], other[PARTS[part]], 'ms (ratio above 1: lumesh is faster)');
};
console.log(
  JSON.stringify([
    claim('median', 'NATS', medians.nats),
    claim('99th percentile', 'NATS', medians.nats),
    claim('99th percentile', 'bare uWebSockets.js on one', medians.bare),
  ]),
);
process.exit();
