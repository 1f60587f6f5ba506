/**
 * `npm run bench [-- --quick] [-- NAME…]`: runs every claim of this folder in a process of its own, one after the other, and
 * prints both sides and their ratio beside the ratio that was recorded last (results.json). `--record` takes over the new ones
 * and writes RESULTS.md; claims that were not run keep what was recorded of them.
 * Ends with 1 when a claim fails to run; a ratio that slipped by more than SLIP is marked.
 */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { format } from './lib/compare.mjs';
import { resultsText, revision } from './lib/results.mjs';

const here = new URL('.', import.meta.url);
const RECORD = new URL('results.json', here);
/** A claim that takes longer hangs. */
const LIMIT_MS = 15 * 60_000;
/**
 * What --quick leaves out: it takes longer than the whole of it may, or says nothing without its warm-up (latency), or little beside
 * what is run (gateway, lua-json-echo).
 */
const LEFT_OUT = 'soak storm nodes peers detection subscribe-storm latency gateway lua-json-echo'.split(' ');

const args = process.argv.slice(2);
const quick = args.includes('--quick');
/** A ratio that is lower than the recorded one by this part of it has slipped; one short round differs by more than the median of three. */
const SLIP = quick ? 0.3 : 0.15;
const names = args.filter((arg) => !arg.startsWith('--'));

function claims() {
  const all = readdirSync(here)
    .filter((file) => /^(?!run\.).*\.mjs$/.test(file))
    .map((file) => file.slice(0, -4));
  if (names.length > 0) return all.filter((name) => names.includes(name));
  return quick ? all.filter((name) => !LEFT_OUT.includes(name)) : all;
}

/** Runs one claim; its last line of output is its result, or several of them in a list. */
function run(name) {
  const child = spawn(process.execPath, [new URL(`${name}.mjs`, here).pathname, ...(quick ? ['--quick'] : [])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
    process.stdout.write(chunk);
  });
  const timer = setTimeout(() => child.kill(), LIMIT_MS);
  return new Promise((resolve) => {
    child.once('exit', (code) => {
      clearTimeout(timer);
      try {
        resolve([JSON.parse(output.trim().split('\n').at(-1))].flat());
      } catch {
        console.error(`${name} ended with ${code} and without a result`);
        process.exitCode = 1;
        resolve([]);
      }
    });
  });
}

const recorded = existsSync(RECORD) ? JSON.parse(readFileSync(RECORD, 'utf8')) : {};
const rows = [];
for (const name of claims()) {
  console.log(`\n== ${name}`);
  const began = performance.now();
  for (const result of await run(name)) rows.push(result);
  console.log(`  ${((performance.now() - began) / 1000).toFixed(0)} s`);
}

console.log('\nclaim; ours; the other side; ratio; recorded');
for (const { claim, ours, baseline, ratio, unit, missing } of rows) {
  if (missing) {
    console.log(`? ${claim}\n      not measured: ${missing}`);
    continue;
  }
  const before = recorded[claim]?.ratio;
  const slipped = before !== undefined && ratio < before * (1 - SLIP);
  console.log(
    `${slipped ? '! ' : '  '}${claim}\n      ${format(ours)} against ${format(baseline)} ${unit}   ratio ${ratio.toFixed(2)}${
      before === undefined ? '' : `   recorded ${before.toFixed(2)}${slipped ? ' SLIPPED' : ''}`
    }`,
  );
}
if (args.includes('--record')) {
  const measured = { on: new Date().toISOString().slice(0, 10), at: revision(), rounds: quick ? 'quick' : 'full' };
  // A whole run forgets claims that are no longer made.
  const kept = quick || names.length > 0 ? recorded : {};
  for (const { claim, ours, baseline, ratio, unit, missing } of rows) {
    kept[claim] = missing ? { missing, ...measured } : { ours, baseline, ratio, unit, ...measured };
  }
  writeFileSync(RECORD, `${JSON.stringify(kept, null, 2)}\n`);
  writeFileSync(new URL('RESULTS.md', here), resultsText(kept));
}
