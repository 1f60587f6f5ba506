/**
 * Claim D: 200 messages per second from node 1 to 100 subscribers on node 2: the 99th percentile is no worse than NATS'. Bare
 * uWebSockets.js, one process that does both, shows what the way over a second node adds. The same once more with each process
 * held on one core, as containers with a core of their own are: what is left is then the programs', not the scheduler's.
 */
import { lower, measure, quick } from './lib/compare.mjs';
import { canPin } from './lib/process.mjs';
import { latency, latencyPinned } from './lib/scenarios.mjs';
import { startBare } from './systems/bare.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { natsVersion, startNats } from './systems/nats.mjs';

const PARTS = { median: 'p50 ms', '99th percentile': 'p99 ms' };
const PINNED = 'D, each process held on one core';

console.log('D: two nodes, 200 messages/s from 1 to 100 subscribers on 2');
const lumesh = () => startLumesh(2);
const nats = () => startNats(2);
const sides = { bare: () => latency(startBare, { node: 0 }), lumesh: () => latency(lumesh) };
if (natsVersion()) sides.nats = () => latency(nats);
if (canPin()) {
  sides['lumesh, pinned'] = () => latencyPinned(lumesh);
  if (sides.nats) sides['nats, pinned'] = () => latencyPinned(nats);
}
// A tail needs more rounds than a rate.
const medians = await measure(sides, { rounds: quick ? 1 : 5 });
const claim = (scenario, part, ours, name, other) => {
  const text = `${scenario}: ${part} of delivery time across two nodes, against ${name}`;
  if (!ours) return { claim: text, missing: 'taskset is not installed, or there is one core only' };
  if (!other) return { claim: text, missing: 'nats-server is not installed' };
  return lower(text, ours[PARTS[part]], other[PARTS[part]], 'ms (ratio above 1: lumesh is faster)');
};
console.log(
  JSON.stringify([
    claim('D', 'median', medians.lumesh, 'NATS', medians.nats),
    claim('D', '99th percentile', medians.lumesh, 'NATS', medians.nats),
    claim('D', '99th percentile', medians.lumesh, 'bare uWebSockets.js on one', medians.bare),
    claim(PINNED, 'median', medians['lumesh, pinned'], 'NATS', medians['nats, pinned']),
    claim(PINNED, '99th percentile', medians['lumesh, pinned'], 'NATS', medians['nats, pinned']),
  ]),
);
process.exit();
