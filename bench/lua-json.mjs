/**
 * What a script's JSON costs: mix.json_decode, mix.json_encode and both together on one message of about 200 bytes, called from
 * a Lua loop, against JSON.parse and JSON.stringify of the same text in JavaScript, in turns within one run.
 *
 *   node bench/lua-json.mjs [--quick]
 *
 * The aim is under 6 us for both together. The baseline has it easier: it makes JavaScript's own objects, we make Lua's.
 */
import { Environments } from '../dist/scripting/environment.js';
import { json } from '../dist/scripting/mix/json.js';
import { Vm } from '../dist/scripting/vm.js';
import { format, median, quick, report } from './lib/compare.mjs';

const TEXT = JSON.stringify({
  op: 'publish',
  channel: 'user:1001',
  id: 123456,
  price: 42.125,
  ok: true,
  tags: ['a', 'b', 'c'],
  user: { name: 'Ann Example', city: 'Berlin' },
  note: 'the quick brown fox jumps over the lazy dog',
  last: null,
});
const CALLS = quick ? 20_000 : 100_000;
const ROUNDS = quick ? 3 : 9;

const silent = { debug() {}, info() {}, warn() {}, error: console.error };
const vm = await Vm.create({ cpuLimitMs: 600_000, memoryLimitMb: 256 }, silent);
const { L, stack } = vm;
const modules = [json({ stack, log: silent })];
const environments = new Environments(vm, modules);
environments.push(0);
const env = stack.getTop(L);

/** A Lua loop around one expression; the returned function runs it `calls` times. */
function loop(body) {
  const text = `
    local decode, encode = mix.json_decode, mix.json_encode
    local text = [==[${TEXT}]==]
    local value = decode(text)
    return function(calls) for i = 1, calls do ${body} end end`;
  environments.compileIn(env, text, '=bench');
  vm.call(L, 0, 1);
  const ref = stack.keep(L);
  return (calls) => {
    stack.pushKept(L, ref);
    stack.pushCount(L, calls);
    vm.call(L, 1, 0);
  };
}

const parsed = JSON.parse(TEXT);
/** Results are looked at, so that no engine leaves the work out. */
let made = 0;
const repeat = (fn) => (calls) => {
  for (let i = 0; i < calls; i++) made += fn() ? 1 : 0;
};
const sides = {
  decode: [loop('decode(text)'), repeat(() => JSON.parse(TEXT))],
  encode: [loop('encode(value)'), repeat(() => JSON.stringify(parsed))],
  both: [loop('encode(decode(text))'), repeat(() => JSON.stringify(JSON.parse(TEXT)))],
};

const results = {};
for (const [name, pair] of Object.entries(sides)) {
  const times = [[], []];
  for (const run of pair) run(CALLS / 4);
  for (let round = 0; round < ROUNDS; round++) {
    pair.forEach((run, side) => {
      const start = process.hrtime.bigint();
      run(CALLS);
      times[side].push(Number(process.hrtime.bigint() - start) / CALLS / 1000);
    });
  }
  results[name] = times.map(median);
}

console.log(`${Buffer.byteLength(TEXT)} bytes, median of ${ROUNDS} times ${CALLS} calls, us per call`);
console.log('            mix (Lua)   JSON (JavaScript)');
for (const [name, [ours, baseline]] of Object.entries(results)) {
  console.log(`${name.padEnd(10)} ${ours.toFixed(2).padStart(10)} ${baseline.toFixed(2).padStart(19)}`);
}
const [ours, baseline] = results.both;
if (made === 0) throw new Error('JSON made nothing');
console.log(`aim: under 6 us together; ${format(ours)} us is ${ours < 6 ? 'within it' : 'over it'}`);
report({
  claim: 'mix.json_decode + mix.json_encode of 200 bytes',
  ours: Number(ours.toFixed(3)),
  baseline: Number(baseline.toFixed(3)),
  ratio: Number((baseline / ours).toFixed(3)),
  unit: 'us per pair (JSON.parse + JSON.stringify in JavaScript)',
});
