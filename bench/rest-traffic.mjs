/**
 * What a mesh at rest says to itself: frames on control lanes per node and second, in simulated meshes from 10 nodes to 500.
 * The aim is that it does not grow with the mesh; the other side is the mesh of 10.
 *
 *   node bench/rest-traffic.mjs [--quick]
 *
 * Virtual time and the default profile (lan). The mesh of 500 takes 4 GB and two minutes, nearly all of them for its beginning.
 */
import { getHeapStatistics } from 'node:v8';
import { quick } from './lib/compare.mjs';
import { SimulatedMesh } from './lib/simulated.mjs';

const SIZES = quick ? [10, 50] : [10, 20, 50, 100, 200, 500];
/** The news of the last join has gone round by then: that of 500 joins at once takes longer than 10 s. */
const CALM_MS = 60_000;
/** Each node exchanges its whole table once in that time (`stateExchangeMs`). */
const MEASURED_MS = 30_000;
const NEEDED_BYTES = 6e9;

function atRest(nodes) {
  const mesh = new SimulatedMesh({ nodes, linkMs: 1 });
  mesh.run(CALM_MS);
  const before = mesh.controlFrames;
  mesh.run(MEASURED_MS);
  const perSecond = ((mesh.controlFrames - before) * 1000) / MEASURED_MS / nodes;
  console.log(`  ${String(nodes).padStart(3)} nodes: ${perSecond.toFixed(3)} control frames per node and second`);
  return perSecond;
}

if (!quick && getHeapStatistics().heap_size_limit < NEEDED_BYTES) {
  // The default limit of the heap is smaller than the largest mesh.
  const { spawnSync } = await import('node:child_process');
  const args = ['--max-old-space-size=8000', ...process.argv.slice(1)];
  process.exit(spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1);
}
const rates = SIZES.map(atRest);
const [smallest] = rates;
const farthest = rates.reduce((far, rate) => (Math.abs(rate - smallest) > Math.abs(far - smallest) ? rate : far));
console.log(
  JSON.stringify({
    claim: 'control frames per node and second at rest, the size that differs most from 10 nodes (aim: ±20 %)',
    ours: farthest,
    baseline: smallest,
    ratio: smallest / farthest,
    unit: 'frames per node and second',
    sizes: Object.fromEntries(SIZES.map((size, i) => [size, rates[i]])),
  }),
);
