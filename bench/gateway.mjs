/** Claim: delivery by the gateway alone costs hardly more than bare uWebSockets.js. 500 subscribers, 64 bytes, saturated. */
import { measure, report } from './lib/compare.mjs';
import { startScript } from './lib/process.mjs';
import { fanOut } from './lib/scenarios.mjs';
import { plainSystem, startBare } from './systems/bare.mjs';

const startGateway = async () =>
  plainSystem('the gateway alone', await startScript(new URL('./servers/gateway.mjs', import.meta.url)));

console.log('gateway: 500 subscribers of one channel, 64 bytes, 512 messages under way');
const { bare, gateway } = await measure({ bare: () => fanOut(startBare), gateway: () => fanOut(startGateway) });
report({
  claim: 'gateway alone, fan-out to 500 subscribers, against bare uWebSockets.js',
  ours: gateway['deliveries/CPU s'],
  baseline: bare['deliveries/CPU s'],
  ratio: gateway['deliveries/CPU s'] / bare['deliveries/CPU s'],
  unit: 'deliveries per CPU second',
});
process.exit();
