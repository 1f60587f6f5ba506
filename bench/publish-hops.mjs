/**
 * How many round trips a publish with counts takes in simulated meshes with links of 1 ms one way: on 20 nodes to a channel that
 * the publisher knows nothing of (look-up, then send), on 20 nodes with a lease, and on 8 nodes, where everybody knows the
 * interest of all. The other side of each is the aim; the spread says who does better (an owner asks nobody) or worse.
 *
 *   node bench/publish-hops.mjs [--quick]
 *
 * Virtual time: only the number of trips counts, not the speed of this machine.
 */
import { lower, median, quick } from './lib/compare.mjs';
import { SimulatedMesh } from './lib/simulated.mjs';

const LINK_MS = 1;
const CHANNELS = quick ? 100 : 1000;
/** Often enough to be worth a lease (three a second), and slow enough that one ends before the next begins. */
const BUSY_PAUSE_MS = 50;

/** Round trips of one publish; its counts must be the truth. */
function roundTrips(mesh, publisher, channel) {
  const { result, ms } = mesh.published(publisher, channel);
  if (result.success !== 1 || result.fail > 0 || result.unconfirmed.length > 0)
    throw new Error(`wrong counts: ${JSON.stringify(result)}`);
  return ms / (2 * LINK_MS);
}

/** One subscriber per channel, and the node that will publish to it: never the same. */
function pairs(mesh, nodes) {
  let open = 0;
  const made = Array.from({ length: CHANNELS }, (_, i) => {
    const subscriber = i % nodes;
    const publisher = (subscriber + 1 + (i % (nodes - 1))) % nodes;
    open++;
    mesh.subscribe(subscriber, `c${i}`, () => open--);
    return { publisher, channel: `c${i}` };
  });
  mesh.until('all are subscribed', () => open === 0);
  return made;
}

function cold(nodes) {
  const mesh = new SimulatedMesh({ nodes, linkMs: LINK_MS });
  return pairs(mesh, nodes).map(({ publisher, channel }) => roundTrips(mesh, publisher, channel));
}

function leased(nodes) {
  const mesh = new SimulatedMesh({ nodes, linkMs: LINK_MS });
  return pairs(mesh, nodes).map(({ publisher, channel }) => {
    for (let i = 0; i < 6; i++) {
      roundTrips(mesh, publisher, channel);
      mesh.run(BUSY_PAUSE_MS);
    }
    return roundTrips(mesh, publisher, channel);
  });
}

function claim(text, trips, aim) {
  const shares = new Map();
  for (const trip of trips) shares.set(trip.toFixed(1), (shares.get(trip.toFixed(1)) ?? 0) + 1);
  const spread = [...shares].sort().map(([trip, count]) => `${trip}: ${((100 * count) / trips.length).toFixed(1)} %`);
  const ours = median(trips);
  console.log(`  ${text}: median ${ours} round trips   (${spread.join(', ')})`);
  return lower(text, ours, aim, 'round trips');
}

console.log(
  JSON.stringify([
    claim('publish with counts, cold channel, 20 nodes (aim: two round trips)', cold(20), 2),
    claim('publish with counts, leased channel, 20 nodes (aim: one)', leased(20), 1),
    claim('publish with counts, cold channel, 8 nodes (aim: one)', cold(8), 1),
  ]),
);
