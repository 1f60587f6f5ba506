/**
 * 1,000,000 channels, each with a subscriber on one of 10 simulated nodes: which part of all interest a node keeps as an owner,
 * and what an entry costs. The aim is 3/10 (three owners of ten nodes); the other side keeps everything everywhere.
 *
 *   node bench/directory.mjs [--quick]
 *
 * The bytes are those of the directory alone: the heap's growth when one owner hears of channels that it knew nothing of, with
 * the channel's name and record. Needs 4 GB.
 */
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { quick } from './lib/compare.mjs';
import { SimulatedMesh } from './lib/simulated.mjs';

const NODES = 10;
const CHANNELS = quick ? 50_000 : 1_000_000;
const MEASURED = quick ? 20_000 : 300_000;
const BATCH = 500;
const NEEDED_BYTES = 6e9;

if (!quick && getHeapStatistics().heap_size_limit < NEEDED_BYTES) {
  const { spawnSync } = await import('node:child_process');
  const args = ['--max-old-space-size=8000', ...process.argv.slice(1)];
  process.exit(spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1);
}
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

function heapBytes() {
  collect();
  return process.memoryUsage().heapUsed;
}

/** Bytes per row at an owner that has no interest of its own. */
function bytesPerEntry() {
  const mesh = new SimulatedMesh({ nodes: NODES, linkMs: 1 });
  const [owner] = mesh.nodes;
  const link = mesh.linkOf(0);
  const rowsBefore = owner.counts().directory;
  const before = heapBytes();
  for (let i = 0; i < MEASURED; i += BATCH) {
    // As they come from the wire: names of their own, in one frame.
    const entries = Array.from({ length: BATCH }, (_, k) => ({
      channel: Buffer.from(`user:${1_000_000 + i + k}`).toString(),
      version: 1_000_000 + i + k,
      on: true,
    }));
    mesh.at(0, () => owner.received(link, 'control', [{ kind: 'register', entries }]));
    mesh.run(5);
  }
  mesh.run(1000);
  const bytes = (heapBytes() - before) / MEASURED;
  if (owner.counts().directory - rowsBefore !== MEASURED) throw new Error('not all registrations became rows');
  return bytes;
}

/** Each channel on one node; all registered and acknowledged. */
function spread() {
  const mesh = new SimulatedMesh({ nodes: NODES, linkMs: 1 });
  let open = 0;
  for (let i = 0; i < CHANNELS; i += BATCH) {
    const node = (i / BATCH) % NODES;
    mesh.at(node, (at) => {
      for (let k = i; k < i + BATCH; k++) {
        open++;
        at.subscribe({ id: String(k) }, `user:${k}`, (outcome) => {
          if (!outcome.ok) throw new Error(`the subscribe failed: ${JSON.stringify(outcome)}`);
          open--;
        });
      }
    });
    mesh.run(1);
  }
  mesh.until('the mesh acknowledged all', () => open === 0);
  return mesh.nodes.map((node) => node.counts().directory / CHANNELS);
}

const bytes = bytesPerEntry();
const shares = spread();
const most = Math.max(...shares);
console.log(`  ${CHANNELS} channels: rows per node ${shares.map((s) => `${(100 * s).toFixed(1)} %`).join(' ')} of all`);
console.log(`  ${bytes.toFixed(0)} bytes per entry, with the channel's name and record`);
console.log(
  JSON.stringify({
    claim:
      'share of all interest in the fullest directory of 10 nodes, against all of it everywhere (aim: at most 0.3)',
    ours: most,
    baseline: 1,
    ratio: 1 / most,
    unit: 'of all interest',
    bytesPerEntry: Math.round(bytes),
  }),
);
