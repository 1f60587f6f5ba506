/**
 * How long a real process that is gone stays a member of the others: killed (its host refuses connections) and standing still
 * (SIGSTOP: as a host that says nothing). From the signal until no other node has it in its view, against the aim; the slowest
 * of the rounds counts, not the median. It then comes back, and all must agree again before the next round.
 *
 *   node bench/detection.mjs [--quick]
 */
import { lower, quick } from './lib/compare.mjs';
import { using } from './lib/scenarios.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const ROUNDS = quick ? 1 : 3;
const LOOK_EVERY_MS = 10;
/** A node that is not gone, or not back, by then never will be. */
const PATIENCE_MS = 60_000;

async function membersAt(api) {
  const answer = await fetch(`http://127.0.0.1:${api}/v1/nodes`);
  const { r } = await answer.json();
  return (r.nodes ?? r).map(({ nodeId }) => nodeId);
}

/** Milliseconds from now until all of these nodes see so many members. */
async function untilAll(apis, members) {
  const began = performance.now();
  const one = async (api) => {
    while ((await membersAt(api)).length !== members) {
      if (performance.now() - began > PATIENCE_MS)
        throw new Error(`the node with API port ${api} does not see ${members}`);
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
  };
  await Promise.all(apis.map(one));
  return performance.now() - began;
}

/** The slowest time in which a mesh of that profile noticed each of the two ends. */
function notice(nodes, profile) {
  return using(
    () => startLumesh(nodes, { 'cluster.profile': profile }),
    async ({ apis, servers }) => {
      await untilAll(apis, nodes);
      const silent = [];
      for (let round = 0; round < ROUNDS; round++) {
        const victim = 1 + (round % (nodes - 1));
        process.kill(servers[victim].pid, 'SIGSTOP');
        silent.push(
          await untilAll(
            apis.filter((_, i) => i !== victim),
            nodes - 1,
          ),
        );
        process.kill(servers[victim].pid, 'SIGCONT');
        const back = await untilAll(apis, nodes);
        console.log(
          `  ${profile}, ${nodes} nodes: SIGSTOP gone after ${silent.at(-1).toFixed()} ms, back ${back.toFixed()} ms after SIGCONT`,
        );
      }
      const killed = [];
      for (let round = 0; round < ROUNDS; round++) {
        // Each kill makes the mesh smaller by one.
        const ended = servers.pop();
        apis.pop();
        const gone = untilAll(apis, apis.length);
        await ended.stop('SIGKILL');
        killed.push(await gone);
        console.log(`  ${profile}, ${apis.length + 1} nodes: kill -9 gone after ${killed.at(-1).toFixed()} ms`);
      }
      return { silent: Math.max(...silent), killed: Math.max(...killed) };
    },
  );
}

const local = await notice(5, 'local');
const lan = await notice(10, 'lan');
const claim = (text, ours, baseline) => lower(text, ours, baseline, 'ms');
console.log(
  JSON.stringify([
    claim('kill -9, profile local, 5 nodes: gone from every view (aim: under 1 s)', local.killed, 1000),
    claim('SIGSTOP, profile local, 5 nodes: gone from every view (aim: 3 s)', local.silent, 3000),
    claim('kill -9, profile lan, 10 nodes: gone from every view (aim: under 1 s)', lan.killed, 1000),
    claim('SIGSTOP, profile lan, 10 nodes: gone from every view (aim: 10 s)', lan.silent, 10_000),
  ]),
);
process.exit();
