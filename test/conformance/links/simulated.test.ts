import t from 'tap';
import { Network } from '../../../src/sim/network.js';
import { SeededRandom } from '../../../src/sim/random.js';
import { type Host, VirtualTime } from '../../../src/sim/time.js';
import { linksConformance } from './suite.js';

linksConformance(t, 'the simulator', async () => {
  const time = new VirtualTime();
  const latency = { minMs: 1, jitterMs: 2, slowShare: 0, slowMs: 0, spread: 1 };
  const network = new Network(time, new SeededRandom(1), latency, 1000);
  return {
    async node(name) {
      const host: Host = { alive: true, stalledUntil: 0, endTurn: () => {} };
      const address = `${name}:1`;
      const links = network.listen(address, host);
      return { links, address, attach: (events) => links.attach(events) };
    },
    kill: (side) => network.kill(network.place(side.address), false),
    nobody: async () => network.place('nobody:1').address,
    async until(what, condition) {
      while (!condition()) if (!time.step(60_000)) throw new Error(`never: ${what}`);
    },
    async end() {},
  };
});
