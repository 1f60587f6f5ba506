/** A mesh in virtual time: the very Mesh of a real node, with links in memory that take exactly as long as they are told to. */
import { Cluster } from '../../dist/sim/cluster.js';
import { Network } from '../../dist/sim/network.js';
import { SeededRandom } from '../../dist/sim/random.js';
import { quietSwarm } from '../../dist/sim/swarm.js';
import { VirtualTime } from '../../dist/sim/time.js';
import { Trace } from '../../dist/sim/trace.js';

const SEED = 1;
/** A lane that is never full: nothing here is about back-pressure. */
const LANE_BATCHES = 1_000_000;
/** A mesh that is not whole after so much virtual time never will be. */
const PATIENCE_MS = 300_000;

export class SimulatedMesh {
  /** Frames that arrived on control lanes. */
  controlFrames = 0;
  #cluster;

  /** `linkMs`: how long a batch takes one way. `tuning`: settings that differ from the defaults. */
  constructor({ nodes, linkMs, tuning = {} }) {
    this.time = new VirtualTime();
    const { latency, turns } = quietSwarm();
    const shape = { ...latency, minMs: linkMs };
    const network = new Network(this.time, new SeededRandom(SEED, 'network'), shape, LANE_BATCHES);
    network.watch = (_to, _from, lane, frames) => {
      if (lane === 'control') this.controlFrames += frames.length;
    };
    const events = {
      delivered: (_node, _message, { subscribers }) => ({ success: subscribers.size, fail: 0 }),
      gap() {},
      heard() {},
      ready() {},
    };
    const world = { seed: SEED, time: this.time, network, trace: new Trace(false), tuning, turns, events };
    this.#cluster = new Cluster(world, new SeededRandom(SEED, 'cluster'), 1, 1);
    const sites = Array.from({ length: nodes }, () => this.#cluster.addSite());
    for (const site of sites) this.#cluster.start(site, sites.slice(0, Math.min(site.index, 3)));
    this.until('all are ready', () => this.#isWhole());
  }

  /** The Mesh of each node. */
  get nodes() {
    return this.#cluster.nodes.map(({ mesh }) => mesh);
  }

  /** A link of that node to some other one. */
  linkOf(node) {
    return this.#cluster.nodes[node].endpoint.openLinks()[0].link;
  }

  run(ms) {
    const end = this.time.now + ms;
    while (this.time.step(end));
  }

  until(what, condition) {
    const deadline = this.time.now + PATIENCE_MS;
    while (!condition()) if (!this.time.step(deadline)) throw new Error(`never: ${what}`);
  }

  /** Does something at that node, as a turn of it. */
  at(node, work) {
    this.time.turn(this.#cluster.nodes[node], () => work(this.nodes[node]));
  }

  /** Subscribes at that node; `done` is called when the whole mesh knows. */
  subscribe(node, channel, done = () => {}) {
    this.at(node, (mesh) =>
      mesh.subscribe({ id: channel }, channel, (outcome) => {
        if (!outcome.ok) throw new Error(`the subscribe failed: ${JSON.stringify(outcome)}`);
        done();
      }),
    );
  }

  /** Publishes with counts and waits for them: the result, and the virtual time that it took. */
  published(node, channel) {
    const began = this.time.now;
    let result = null;
    this.at(node, (mesh) => {
      const refused = mesh.publish(channel, new Uint8Array(8), false, (counts) => {
        result = counts;
      });
      if (refused !== null) throw new Error(refused);
    });
    this.until('the counts are there', () => result !== null);
    return { result, ms: this.time.now - began };
  }

  #isWhole() {
    const { nodes } = this;
    const digest = nodes[0].digest();
    // Cheap questions first: this is asked after every step.
    return nodes.every((mesh) => mesh.phase === 'ready' && mesh.digest() === digest) && nodes.every((m) => m.settled());
  }
}
