/**
 * Claim I: ten minutes (BENCH_SOAK_SECONDS) of traffic with clients that come and go: memory and latency at the end are what
 * they were after the first fifth.
 */
import { lower, median } from './lib/compare.mjs';
import { answeredAll, converse, talker } from './lib/traffic.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const SECONDS = Number(process.env.BENCH_SOAK_SECONDS ?? 600);
const PART = 10;
const TALKERS = 200;
const CHANNELS = 500;
const RATE = 5000;

const system = await startLumesh(2);
const talkers = [];
for (let i = 0; i < TALKERS; i++) talkers.push(await talker(system, i));
const parts = [];
for (let second = 0; second < SECONDS; second += PART) {
  // A quarter of the clients leaves, others come and subscribe.
  for (let i = 0; i < TALKERS / 4; i++) {
    talkers.shift().close();
    const fresh = await talker(system, i);
    for (let k = 0; k < 5; k++) fresh.subscribe(`t${Math.floor(Math.random() * CHANNELS)}`);
    talkers.push(fresh);
  }
  await answeredAll(talkers);
  const result = await converse(talkers, { rate: RATE, seconds: PART, channels: CHANNELS });
  const megabytes = system.servers.reduce((sum, server) => sum + server.rss(), 0) / 1048576;
  parts.push({ megabytes, p99: result['p99 ms'] });
  console.log(`  ${second + PART} s: ${megabytes.toFixed(0)} MB, p99 ${result['p99 ms'].toFixed(2)} ms`);
}
await system.stop();
const fifth = Math.max(1, Math.floor(parts.length / 5));
const early = parts.slice(fifth, 2 * fifth);
const late = parts.slice(-fifth);
const memory = (some) => median(some.map(({ megabytes }) => megabytes));
const p99 = (some) => median(some.map((part) => part.p99));
const claim = (what, of, unit) =>
  lower(`I: ${what} at the end of a soak with churn, against the second fifth of it`, of(late), of(early), unit);
console.log(
  JSON.stringify([
    claim('memory', memory, 'MB (ratio 1: flat)'),
    claim('99th percentile of answers', p99, 'ms (ratio 1: flat)'),
  ]),
);
process.exit();
