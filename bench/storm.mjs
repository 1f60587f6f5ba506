/**
 * Claim G: 20,000 connections arrive at once, each subscribes to a channel of its own; how long until the mesh of two has
 * acknowledged all of them, and how long the node's event loop stood still at worst. The aim of the storm of subscribes is 5 s
 * for 50,000, which is 10,000 per second.
 */
import { readFileSync } from 'node:fs';
import { RawClient } from './clients/websocket.mjs';
import { measure, report } from './lib/compare.mjs';
import { using } from './lib/scenarios.mjs';
import { worstDelay } from './lib/traffic.mjs';
import { startLumesh } from './systems/lumesh.mjs';

/** Each process needs one file per connection; where the limit is lower than the storm, the storm is smaller, and says so. */
const FILES = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 1024);
const CONNECTIONS = Math.min(Number(process.env.BENCH_STORM ?? 20_000), FILES - 500);
const AIM = 10_000;
/** Connections being opened at the same time: the kernel's queue of a listening port is shorter than the storm. */
const AT_ONCE = 400;

const run = () =>
  using(
    () => startLumesh(2),
    async (system) => {
      await worstDelay(system.apis[0]);
      const began = performance.now();
      let next = 0;
      const clients = [];
      const opener = async () => {
        while (next < CONNECTIONS) {
          const number = next++;
          const client = await RawClient.open(system.address(0));
          await system.subscribe(client, `g${number}`);
          clients.push(client);
        }
      };
      await Promise.all(Array.from({ length: AT_ONCE }, opener));
      const seconds = (performance.now() - began) / 1000;
      const worst = await worstDelay(system.apis[0]);
      for (const client of clients) client.close();
      return { seconds, 'connections/s': CONNECTIONS / seconds, 'worst loop delay ms': worst };
    },
  );

console.log(`G: ${CONNECTIONS} connections at once on node 1 of 2, each subscribing to its own channel`);
const { lumesh } = await measure({ lumesh: run }, { rounds: 2 });
report({
  claim: 'G: connections and first subscribes per second in a storm, against 10,000',
  ours: lumesh['connections/s'],
  baseline: AIM,
  ratio: lumesh['connections/s'] / AIM,
  unit: 'connections per second',
  worstLoopDelayMs: lumesh['worst loop delay ms'],
});
process.exit();
