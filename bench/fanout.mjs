/** Claim A: one channel, 500 subscribers, one node, saturated: lumesh with Lua, API and counts against bare uWebSockets.js. */
import { measure, report } from './lib/compare.mjs';
import { fanOut } from './lib/scenarios.mjs';
import { startBare } from './systems/bare.mjs';
import { startLumesh } from './systems/lumesh.mjs';

console.log('A: one node, one channel, 500 subscribers, 64 bytes, 512 messages under way');
const { bare, lumesh } = await measure({ bare: () => fanOut(startBare), lumesh: () => fanOut(() => startLumesh(1)) });
report({
  claim: 'A: fan-out on one node to 500 subscribers, against bare uWebSockets.js',
  ours: lumesh['deliveries/CPU s'],
  baseline: bare['deliveries/CPU s'],
  ratio: lumesh['deliveries/CPU s'] / bare['deliveries/CPU s'],
  unit: 'deliveries per CPU second',
});
process.exit();
