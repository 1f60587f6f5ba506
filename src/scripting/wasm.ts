/**
 * Loads wasmoon's WebAssembly and hands out its exports as they are. The functions on wasmoon's own module object check and
 * `apply` around each export: 30 ns a call instead of 5 (measured, lua_gettop), and a message takes dozens of calls.
 */
import { LuaFactory } from 'wasmoon';

/** The exports of one instance: `lua_gettop`, `lua_pushlstring`, `malloc` … as plain functions. */
export type LuaExports = Readonly<Record<string, (...args: never[]) => unknown>>;

type LuaWasm = Awaited<ReturnType<LuaFactory['getLuaModule']>>;
type Instance = { readonly exports: LuaExports };
type Instantiate = (...args: unknown[]) => Promise<Instance | { readonly instance: Instance }>;

/** The part of the global WebAssembly that is used here; Node's types leave it out. */
const host = (globalThis as unknown as { WebAssembly: { instantiate: Instantiate } }).WebAssembly;

/** Loads one instance of its own: memory, states and all. `wasm` is wasmoon's wrapping of it, for what is not called often. */
export async function loadWasm(): Promise<{ readonly wasm: LuaWasm; readonly exports: LuaExports }> {
  const loaded = turn.then(loadAlone, loadAlone);
  turn = loaded;
  return loaded;
}

/** Loads happen one after the other, since each looks at what WebAssembly.instantiate returns meanwhile. */
let turn: Promise<unknown> = Promise.resolve();

async function loadAlone(): Promise<{ readonly wasm: LuaWasm; readonly exports: LuaExports }> {
  let exports: LuaExports | undefined;
  const original = host.instantiate;
  host.instantiate = async (...args) => {
    const result = await original(...args);
    const instance = 'instance' in result ? result.instance : result;
    if ('lua_gettop' in instance.exports) exports = instance.exports;
    return result;
  };
  try {
    const wasm = await new LuaFactory().getLuaModule();
    if (exports === undefined) throw new Error('wasmoon was loaded without WebAssembly.instantiate: other version?');
    return { wasm, exports };
  } finally {
    host.instantiate = original;
  }
}
