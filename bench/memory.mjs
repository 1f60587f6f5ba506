/** Claim E: an idle connection with its Lua context, subscribed to a channel of its own, takes less than 4 KB. */
import { measure, report } from './lib/compare.mjs';
import { idleMemory } from './lib/scenarios.mjs';
import { startBare } from './systems/bare.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const LIMIT_KB = 4;
console.log('E: resident memory per idle connection, each subscribed to a channel of its own');
const { bare, lumesh } = await measure({
  bare: () => idleMemory(startBare),
  lumesh: () => idleMemory(() => startLumesh(1)),
});
report({
  claim: 'E: memory of an idle subscribed connection, against 4 KB',
  ours: lumesh['KB/connection'],
  baseline: LIMIT_KB,
  ratio: LIMIT_KB / lumesh['KB/connection'],
  unit: 'KB (ratio above 1: less than the limit)',
  bare: bare['KB/connection'],
});
process.exit();
