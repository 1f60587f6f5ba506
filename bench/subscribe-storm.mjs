/**
 * A storm of first subscribes: the clients of one node subscribe to 50,000 channels, each of which nobody had before, as fast as
 * they can; how long until the mesh of real processes has acknowledged the last. The aim is 5 s for all on two cores. 500
 * clients, because the subscribes of one connection are answered in turn, each after its round trip; what connections cost is
 * `storm`. Without a mesh to ask (one node) the same storm shows how much of it is the mesh's.
 *
 *   node bench/subscribe-storm.mjs [--quick]
 */
import { RawClient } from './clients/websocket.mjs';
import { measure, quick } from './lib/compare.mjs';
import { using } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const SUBSCRIBES = quick ? 10_000 : 50_000;
const CLIENTS = 500;
const AIM_SECONDS = (5 * SUBSCRIBES) / 50_000;

/** Subscribes to all its channels at once; resolves when each is acknowledged. */
async function storm(address, client) {
  const connection = await RawClient.open(address);
  const count = SUBSCRIBES / CLIENTS;
  return {
    begin: () =>
      new Promise((resolve, reject) => {
        let left = count;
        connection.onMessage = (_client, buffer, start, end) => {
          const answer = buffer.latin1Slice(start, end);
          if (JSON.parse(answer).success !== true) reject(new Error(answer));
          else if (--left === 0) resolve();
        };
        for (let i = 0; i < count; i++)
          connection.send(JSON.stringify({ op: 'subscribe', channel: `s${client}-${i}` }));
      }),
    close: () => connection.close(),
  };
}

const run = (nodes) => () =>
  using(
    () => startLumesh(nodes),
    async (system) => {
      const clients = await Promise.all(Array.from({ length: CLIENTS }, (_, i) => storm(system.address(0), i)));
      const began = performance.now();
      await Promise.all(clients.map((client) => client.begin()));
      const seconds = (performance.now() - began) / 1000;
      for (const client of clients) client.close();
      return { seconds, 'subscribes/s': SUBSCRIBES / seconds };
    },
  );

console.log(`${SUBSCRIBES} first subscribes on node 1, acknowledged by the mesh`);
const sides = await measure({ '3 nodes': run(3), '10 nodes, 3 owners': run(10), '1 node': run(1) });
const claim = (nodes, name) => ({
  claim: `a storm of first subscribes on one of ${nodes} nodes, against 10,000 per second`,
  ours: sides[name]['subscribes/s'],
  baseline: SUBSCRIBES / AIM_SECONDS,
  ratio: AIM_SECONDS / sides[name].seconds,
  unit: 'subscribes per second',
});
console.log(JSON.stringify([claim(3, '3 nodes'), claim(10, '10 nodes, 3 owners')]));
process.exit();
