import t from 'tap';
import type { LinkEvents } from '../../../src/core/ports.js';
import { Network, type Place } from '../../../src/sim/network.js';
import { SeededRandom } from '../../../src/sim/random.js';
import { VirtualTime } from '../../../src/sim/time.js';
import { linksConformance, type Side } from './suite.js';

linksConformance(t, 'the simulator’s network', async () => {
  const time = new VirtualTime();
  const shape = { minMs: 1, jitterMs: 2, slowShare: 0.05, slowMs: 20 };
  const network = new Network(time, new SeededRandom(1), shape, 64);
  const places = new Map<Side, { place: Place; host: { alive: boolean } }>();
  return {
    async node(name) {
      const host = { alive: true, stalledUntil: 0, endTurn: () => {} };
      const endpoint = network.listen(name, host);
      const side: Side = { links: endpoint, address: name, attach: (events: LinkEvents) => endpoint.attach(events) };
      places.set(side, { place: endpoint.place, host });
      return side;
    },
    kill(side) {
      const { place, host } = places.get(side)!;
      host.alive = false;
      network.kill(place, false);
    },
    nobody: async () => network.place('nobody').address,
    async until(what, condition) {
      const limit = time.now + 60_000;
      while (!condition()) if (!time.step(limit)) throw new Error(`never: ${what}`);
    },
    end: async () => {},
  };
});
