/** The scenarios A to E with the peers that the other claims leave out: Socket.IO with Redis, and a plain `ws` server. */
import { format, measure } from './lib/compare.mjs';
import { fanOut, idleMemory, latency, manyChannels } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { socketioVersion, startSocketio } from './systems/socketio.mjs';
import { startWs, wsVersion } from './systems/ws.mjs';

/** Systems this slow are driven with fewer messages under way, or they answer with whole seconds of delay. */
const SLOW = { window: 64 };

const rows = [];
const compare = async (claim, sides, key, unit) => {
  console.log(claim);
  const medians = await measure(sides);
  for (const [name, result] of Object.entries(medians)) {
    if (name === 'lumesh') continue;
    const [ours, theirs] = [medians.lumesh[key], result[key]];
    rows.push({ claim: `${claim}, against ${name}`, ours, baseline: theirs, ratio: theirs / ours, unit });
    console.log(`  ${name}: ${format(theirs / ours)} times lumesh' ${key}`);
  }
};

const socketio = socketioVersion();
const ws = wsVersion();
if (!socketio || !ws) {
  rows.push({
    claim: 'A to E against Socket.IO and ws',
    missing: 'redis-server, or `npm ci --prefix bench/peers`, is missing',
  });
} else {
  const unit = 'us CPU per delivery (ratio above 1: lumesh is cheaper)';
  const cost = 'us CPU/delivery';
  await compare(
    'A: one node',
    {
      'Socket.IO': () => fanOut(() => startSocketio(1), SLOW),
      ws: () => fanOut(startWs, SLOW),
      lumesh: () => fanOut(() => startLumesh(1)),
    },
    cost,
    unit,
  );
  await compare(
    'B: two nodes',
    {
      'Socket.IO': () => fanOut(() => startSocketio(2), { node: 1, ...SLOW }),
      lumesh: () => fanOut(() => startLumesh(2), { node: 1 }),
    },
    cost,
    unit,
  );
  await compare(
    'C: 5,000 channels',
    { 'Socket.IO': () => manyChannels(() => startSocketio(2), SLOW), lumesh: () => manyChannels(() => startLumesh(2)) },
    cost,
    unit,
  );
  await compare(
    'D: delivery time',
    { 'Socket.IO': () => latency(() => startSocketio(2)), lumesh: () => latency(() => startLumesh(2)) },
    'p99 ms',
    'ms at the 99th percentile (ratio above 1: lumesh is faster)',
  );
  await compare(
    'E: memory',
    { 'Socket.IO': () => idleMemory(() => startSocketio(1)), lumesh: () => idleMemory(() => startLumesh(1)) },
    'KB/connection',
    'KB per connection (ratio above 1: lumesh takes less)',
  );
}
console.log(JSON.stringify(rows));
process.exit();
