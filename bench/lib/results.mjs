/** bench/RESULTS.md: the machine, the versions, the command, and every recorded claim with both sides. Written by `run.mjs --record`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { natsVersion } from '../systems/nats.mjs';
import { socketioVersion } from '../systems/socketio.mjs';
import { wsVersion } from '../systems/ws.mjs';
import { format } from './compare.mjs';

/** `recorded`: claim → what results.json keeps of it. */
export function resultsText(recorded) {
  const lines = [
    '# Results',
    '',
    'Written by `npm run bench -- --record`. What each scenario is, and how far its figures go, is in [README.md](README.md).',
    'Figures are medians, both sides of a row by turns in one run. Ratios carry over to other machines, absolute figures do not.',
    '',
    `- Machine: ${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, Linux`,
    `- Node.js ${process.versions.node}, uWebSockets.js ${installed('uWebSockets.js')}`,
    `- NATS: ${natsVersion() ?? 'not installed'}`,
    `- Socket.IO: ${socketioVersion() ?? 'not installed'}`,
    `- ws: ${wsVersion() ?? 'not installed'}`,
    '',
    '| claim | lumesh | other side | ratio | unit | measured |',
    '|---|---|---|---|---|---|',
  ];
  for (const [claim, { ours, baseline, ratio, unit, missing, on, at, rounds }] of Object.entries(recorded).sort()) {
    const when = `${on} at ${at}${rounds === 'quick' ? ', one short round' : ''}`;
    lines.push(
      missing
        ? `| ${claim} | not measured | ${missing} | | | ${when} |`
        : `| ${claim} | ${format(ours)} | ${format(baseline)} | ${ratio.toFixed(2)} | ${unit} | ${when} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function installed(name) {
  return JSON.parse(readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;
}

/** The commit that is measured. */
export function revision() {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: new URL('.', import.meta.url),
    encoding: 'utf8',
  }).trim();
}
