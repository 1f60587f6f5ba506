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
const MB = 1048576;

/** Bytes that V8 has for new objects. They grow in steps to 32 MB, and shrink with a full collection. */
async function youngGeneration(api) {
  const metrics = await (await fetch(`http://127.0.0.1:${api}/metrics`)).text();
  return Number(/^nodejs_heap_space_size_total_bytes\{space="new"\} (\d+)$/m.exec(metrics)[1]);
}

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
  const resident = system.servers.reduce((sum, server) => sum + server.rss(), 0) / MB;
  const young = (await Promise.all(system.apis.map(youngGeneration))).reduce((sum, bytes) => sum + bytes, 0) / MB;
  parts.push({ resident, kept: resident - young, p99: result['p99 ms'] });
  const memory = `${resident.toFixed(0)} MB, ${young.toFixed(0)} of it young generation`;
  console.log(`  ${second + PART} s: ${memory}, p99 ${result['p99 ms'].toFixed(2)} ms`);
}
await system.stop();
const fifth = Math.max(1, Math.floor(parts.length / 5));
const early = parts.slice(fifth, 2 * fifth);
const late = parts.slice(-fifth);
const claim = (what, key, unit) => {
  const of = (some) => median(some.map((part) => part[key]));
  return lower(`I: ${what} at the end of a soak with churn, against the second fifth of it`, of(late), of(early), unit);
};
console.log(
  JSON.stringify([
    claim('resident memory', 'resident', 'MB (ratio 1: flat)'),
    claim("memory without V8's young generation", 'kept', 'MB (ratio 1: flat)'),
    claim('99th percentile of answers', 'p99', 'ms (ratio 1: flat)'),
  ]),
);
process.exit();
