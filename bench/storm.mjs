/**
 * Claim G: 20,000 connections arrive at once, each subscribes to a channel of its own: how long until all are acknowledged, by
 * the mesh of two nodes, by a NATS server of two (which acknowledges before the other server knows), and by bare
 * uWebSockets.js, where there is nobody else to know. And how long lumesh' event loop stood still at worst.
 */
import { readFileSync } from 'node:fs';
import { RawClient } from './clients/websocket.mjs';
import { measure, quick } from './lib/compare.mjs';
import { using } from './lib/scenarios.mjs';
import { worstDelay } from './lib/traffic.mjs';
import { startBare } from './systems/bare.mjs';
import { startLumesh } from './systems/lumesh.mjs';
import { natsVersion, startNats } from './systems/nats.mjs';

/** Each process needs one file per connection; where the limit is lower than the storm, the storm is smaller, and says so. */
const FILES = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 1024);
const CONNECTIONS = Math.min(Number(process.env.BENCH_STORM ?? (quick ? 3000 : 20_000)), FILES - 500);
/** Connections being opened at the same time: the kernel's queue of a listening port is shorter than the storm. */
const AT_ONCE = 400;

const storm = (start) =>
  using(start, async (system) => {
    const { apis } = system;
    if (apis) await worstDelay(apis[0]);
    const before = system.servers.reduce((sum, server) => sum + server.cpu(), 0);
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
    const cpu = system.servers.reduce((sum, server) => sum + server.cpu(), 0) - before;
    const result = { seconds, 'connections/s': CONNECTIONS / seconds, 'us CPU/connection': cpu / CONNECTIONS };
    if (apis) result['worst loop delay ms'] = await worstDelay(apis[0]);
    for (const client of clients) client.close();
    return result;
  });

console.log(`G: ${CONNECTIONS} connections at once on node 1 of 2, each subscribing to its own channel`);
const sides = { bare: () => storm(startBare), lumesh: () => storm(() => startLumesh(2)) };
if (natsVersion()) sides.nats = () => storm(() => startNats(2));
const { bare, nats, lumesh } = await measure(sides);
const rows = [];
for (const [name, other] of Object.entries({ 'bare uWebSockets.js': bare, NATS: nats })) {
  const claim = `G: connections and first subscribes per second in a storm, against ${name}`;
  if (!other) rows.push({ claim, missing: 'nats-server is not installed' });
  else
    rows.push({
      claim,
      ours: lumesh['connections/s'],
      baseline: other['connections/s'],
      ratio: lumesh['connections/s'] / other['connections/s'],
      unit: 'connections per second',
      seconds: lumesh.seconds,
      worstLoopDelayMs: lumesh['worst loop delay ms'],
    });
}
console.log(JSON.stringify(rows));
process.exit();
