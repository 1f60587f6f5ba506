/** Runs two sides by turns, so that whatever else the machine does hits both, and prints medians: lines for people, JSON last. */

export const quick = process.argv.includes('--quick');

export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/**
 * `sides`: name → function that runs once and returns `{ name: number … }`. Each is run `rounds` times by turns. Returns the
 * medians by side, and prints them.
 */
export async function measure(sides, { rounds = quick ? 1 : 3 } = {}) {
  const results = new Map(Object.keys(sides).map((name) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const [name, run] of Object.entries(sides)) {
      const result = await run();
      results.get(name).push(result);
      console.log(`  ${name.padEnd(24)} ${describe(result)}`);
    }
  }
  const medians = {};
  for (const [name, runs] of results) {
    medians[name] = Object.fromEntries(Object.keys(runs[0]).map((key) => [key, median(runs.map((run) => run[key]))]));
    console.log(`  ${`${name}, median`.padEnd(24)} ${describe(medians[name])}`);
  }
  return medians;
}

function describe(result) {
  return Object.entries(result)
    .map(([key, value]) => `${key} ${format(value)}`)
    .join('   ');
}

export function format(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`;
  if (value >= 1e4) return `${(value / 1e3).toFixed(1)} k`;
  return value >= 100 ? value.toFixed(0) : value.toFixed(3);
}

/** The last line of a benchmark, for bench/run.mjs. */
export function report({ claim, ours, baseline, ratio, unit, ...more }) {
  console.log(JSON.stringify({ claim, ours, baseline, ratio, unit, ...more }));
}

/** A claim in which less is better, for `report` and for lists of claims. */
export const lower = (claim, ours, baseline, unit) => ({ claim, ours, baseline, ratio: baseline / ours, unit });

/** Ends a benchmark whose other side is not on this machine. */
export function absent(claim, reason) {
  console.log(JSON.stringify({ claim, missing: reason }));
  process.exit();
}
