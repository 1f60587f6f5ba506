/** The readable story of a failing seed: what was drawn, and the lines that have to do with the broken promise. */
import type { Breach } from './ledger.js';
import type { Swarm } from './swarm.js';
import type { Line } from './trace.js';

const MAX_LINES = 300;

export function tell(
  swarm: Swarm,
  lines: readonly Line[],
  breaches: readonly Breach[],
  print: (text: string) => void,
): void {
  const channel = breaches[0]?.channel ?? null;
  const about = lines.filter((line) => channel === null || line.channel === null || line.channel === channel);
  const shown = about.slice(-MAX_LINES);
  for (const text of describeSwarm(swarm)) print(text);
  print('');
  if (about.length > shown.length) print(`… ${about.length - shown.length} earlier lines`);
  for (const { at, who, text } of shown) print(`${at.toFixed(1).padStart(9)}  ${who.padEnd(8)} ${text}`);
  print('');
  for (const { promise, text, at } of breaches) print(`BROKEN at ${at.toFixed(1)} ms: ${promise}: ${text}`);
}

function describeSwarm({ profile, nodes, spare, together, latency, faults, load, tuning }: Swarm): string[] {
  const named = (values: object): string =>
    Object.entries(values)
      .filter(([, value]) => value !== 0)
      .map(([name, value]) => `${name} ${typeof value === 'number' ? Number(value.toPrecision(3)) : value}`)
      .join(', ');
  return [
    `profile ${profile}: ${nodes} nodes${spare > 0 ? `, up to ${spare} more` : ''}, started ${together ? 'together' : 'one by one'}`,
    `  latency: ${named(latency)}`,
    `  faults, mean ms between: ${named(faults) || 'none'}`,
    `  load: ${named(load)}`,
    `  settings: ${named(tuning)}`,
  ];
}
