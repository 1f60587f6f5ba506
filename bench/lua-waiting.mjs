/**
 * Claim: a callback that waits is cheap, and nothing leaks. 10,000 callbacks wait at once: bytes each, in the VM and in the process. Then a
 * million callbacks, a hundred thousand of them waiting and a hundred thousand failing: WebAssembly memory before and after.
 * The baseline of the first is the aim of 4 KB.
 *
 *   node bench/lua-waiting.mjs [--quick]
 */
import { schema } from '../dist/config/schema.js';
import { createScript } from '../dist/scripting/script.js';
import { format, quick, report } from './lib/compare.mjs';

const WAITING = 10_000;
const CALLBACKS = quick ? 200_000 : 1_000_000;
const AIM_BYTES = 4096;

const held = [];
const nothing = () => {};
const host = {
  log: { debug: nothing, info: nothing, warn: console.warn, error: nothing },
  meter: { count: nothing, observe: nothing },
  subscribe: (_connection, _channel, done) => held.push(() => done({ ok: true, degraded: false })),
  connection: () => undefined,
};
const defaults = schema.parse({});
const entry = new URL('lua/waiting.lua', import.meta.url).pathname;
const script = await createScript({ ...defaults.lua, ...defaults.servers[0], entry, reloadSeconds: 0 }, host);
const request = {
  method: 'GET',
  requestUri: '/',
  serverProtocol: 'HTTP/1.1',
  host: '',
  remoteAddress: '',
  headers: [],
};

class Client {
  protocol = 'websocket';
  remoteAddress = '127.0.0.1:40000';
  isOpen = true;
  script = null;
  constructor(number) {
    this.id = String(0x7fffffffn * 4294967296n + BigInt(number));
  }
  send() {
    return 'sent';
  }
  close() {}
  pause() {}
  resume() {}
}

/** Bytes of the VM, and of the process as the operating system and V8 count them, after a collection where one can be had. */
function memory() {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  const { memoryBytes, reservedBytes } = script.stats();
  return { vm: memoryBytes, process: heapUsed + external, wasm: reservedBytes };
}

const clients = Array.from({ length: WAITING }, (_, i) => new Client(i + 1));
const [wait, fail, plain] = ['wait', 'fail', 'plain'].map((text) => Buffer.from(text));
// Everything that is made once has been made before anything is measured.
for (const client of clients) {
  script.handshake(client, request, nothing);
  script.message(client, plain, false);
}
const before = memory();
for (const client of clients) script.message(client, wait, false);
const during = memory();
if (script.stats().waiting !== WAITING) throw new Error(`${script.stats().waiting} callbacks wait`);
for (const go of held.splice(0)) go();
const vmBytes = (during.vm - before.vm) / WAITING;
const allBytes = (during.vm - before.vm + during.process - before.process) / WAITING;
console.log(
  `  ${WAITING} callbacks waiting: ${format(vmBytes)} bytes each in the VM, ${format(allBytes)} with JavaScript's part`,
);

/** One in ten waits, one in ten fails. */
function round(callbacks) {
  for (let i = 0; i < callbacks; i++) {
    const client = clients[i % WAITING];
    script.message(client, i % 10 === 0 ? wait : i % 10 === 5 ? fail : plain, false);
    if (held.length === 1000) for (const go of held.splice(0)) go();
  }
  for (const go of held.splice(0)) go();
}

round(100_000);
const settled = memory();
const began = performance.now();
round(CALLBACKS);
const microseconds = ((performance.now() - began) * 1000) / CALLBACKS;
const after = memory();
const { callbacks, errors } = script.stats();
console.log(
  `  ${format(CALLBACKS)} callbacks, ${format(errors)} failed of ${format(callbacks)} in all: ${microseconds.toFixed(2)} us each, ` +
    `VM ${format(settled.vm)} → ${format(after.vm)} bytes, WebAssembly memory grew by ${format(Math.max(0, after.wasm - settled.wasm))} bytes`,
);
script.close();
report({
  claim: '10,000 Lua callbacks waiting at once, bytes each',
  ours: allBytes,
  baseline: AIM_BYTES,
  ratio: AIM_BYTES / allBytes,
  unit: 'bytes per waiting callback (ratio above 1: less than the aim)',
  wasmGrowthBytes: Math.max(0, after.wasm - settled.wasm),
});
