/**
 * `node bench/lib/hottest.mjs FILE.cpuprofile [N]`: the N functions with most time of their own, as a share of the time in which
 * the process did something, without its first two seconds (loading). Write one with BENCH_NODE_ARGS="--cpu-prof --cpu-prof-dir=DIR" before a benchmark.
 */
import { readFileSync } from 'node:fs';

const profile = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const names = new Map();
for (const { id, callFrame } of profile.nodes) {
  const file = callFrame.url.split('/').slice(-2).join('/');
  names.set(id, `${callFrame.functionName || '(anonymous)'} ${file}${file ? `:${callFrame.lineNumber + 1}` : ''}`);
}
const own = new Map();
let busy = 0;
let since = 0;
for (const [i, id] of profile.samples.entries()) {
  const name = names.get(id);
  const time = profile.timeDeltas[i];
  since += time;
  if (since < 2e6 || name.startsWith('(idle)')) continue;
  busy += time;
  own.set(name, (own.get(name) ?? 0) + time);
}
const top = [...own].sort((a, b) => b[1] - a[1]).slice(0, Number(process.argv[3] ?? 10));
console.log(`${(busy / 1e6).toFixed(1)} s busy`);
for (const [name, time] of top) console.log(`${((time / busy) * 100).toFixed(1).padStart(5)} %  ${name}`);
