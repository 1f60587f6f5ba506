/** bench/RESULTS.md: the machine, the versions, the command, and every claim with both sides. Written by `run.mjs --record`. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, totalmem } from 'node:os';
import { natsVersion } from '../systems/nats.mjs';
import { socketioVersion } from '../systems/socketio.mjs';
import { wsVersion } from '../systems/ws.mjs';
import { format } from './compare.mjs';

export function resultsText(rows, command) {
  const lines = [
    '# Results',
    '',
    `Written by \`${command}\` on ${new Date().toISOString().slice(0, 10)}. What each scenario is, and how far its figures go, is in`,
    '[README.md](README.md). Figures are medians. Ratios carry over to other machines, absolute figures do not.',
    '',
    `- Machine: ${cpus().length} × ${cpus()[0].model.trim()}, ${Math.round(totalmem() / 2 ** 30)} GB, Linux; load average before the last run ${loadavg()[0].toFixed(1)}`,
    `- Node.js ${process.versions.node}, uWebSockets.js ${installed('uWebSockets.js')}, lumesh at ${revision()}`,
    `- NATS: ${natsVersion() ?? 'not installed'}`,
    `- Socket.IO: ${socketioVersion() ?? 'not installed'}`,
    `- ws: ${wsVersion() ?? 'not installed'}`,
    '',
    '| claim | lumesh | other side | ratio | unit |',
    '|---|---|---|---|---|',
  ];
  for (const { claim, ours, baseline, ratio, unit, missing } of rows) {
    lines.push(
      missing
        ? `| ${claim} | not measured | ${missing} | | |`
        : `| ${claim} | ${format(ours)} | ${format(baseline)} | ${ratio.toFixed(2)} | ${unit} |`,
    );
  }
  return `${lines.join('\n')}\n`;
}

function installed(name) {
  return JSON.parse(readFileSync(new URL(`../../node_modules/${name}/package.json`, import.meta.url), 'utf8')).version;
}

function revision() {
  return execFileSync('git', ['rev-parse', '--short', 'HEAD'], {
    cwd: new URL('.', import.meta.url),
    encoding: 'utf8',
  }).trim();
}
