/** Claim F: three nodes carry 60,000 client messages per second through Lua; each is answered, one in ten is published. */
import { measure, quick, report } from './lib/compare.mjs';
import { using } from './lib/scenarios.mjs';
import { answeredAll, converse, talker } from './lib/traffic.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const RATE = 60_000;
const NODES = 3;
const TALKERS = 300;
const CHANNELS = 100;

const run = () =>
  using(
    () => startLumesh(NODES),
    async (system) => {
      const talkers = await Promise.all(Array.from({ length: TALKERS }, (_, i) => talker(system, i)));
      for (let i = 0; i < CHANNELS; i++) talkers[i].subscribe(`t${i}`);
      await answeredAll(talkers);
      await converse(talkers, { rate: RATE / 4, seconds: 1, channels: CHANNELS });
      const cpu = () => system.servers.reduce((sum, server) => sum + server.cpu(), 0);
      const before = cpu();
      const seconds = quick ? 3 : 8;
      const result = await converse(talkers, { rate: RATE, seconds, channels: CHANNELS });
      for (const each of talkers) each.close();
      return { ...result, 'us CPU/message': (cpu() - before) / (RATE * seconds) };
    },
  );

console.log(`F: ${NODES} nodes, ${RATE} client messages per second through Lua, one in ten published`);
const { lumesh } = await measure({ lumesh: run });
report({
  claim: 'F: client messages per second through Lua on three nodes, against 60,000 offered',
  ours: lumesh['answers/s'],
  baseline: RATE,
  ratio: lumesh['answers/s'] / RATE,
  unit: 'answers per second',
  p99: lumesh['p99 ms'],
});
process.exit();
