/**
 * Loads wasmoon's WebAssembly and hands out its exports as they are. The functions on wasmoon's own module object check and
 * `apply` around each export: 30 ns a call instead of 5 (measured, lua_gettop), and a message takes dozens of calls.
 */
import { LuaFactory } from 'wasmoon';

/** The exports of one instance: `lua_gettop`, `lua_pushlstring`, `malloc` … as plain functions, and `memory`. */
export type LuaExports = WebAssembly.Exports & { readonly memory: WebAssembly.Memory };

type LuaWasm = Awaited<ReturnType<LuaFactory['getLuaModule']>>;

/** Loads one instance of its own: memory, states and all. `wasm` is wasmoon's wrapping of it, for what is not called often. */
export async function loadWasm(): Promise<{ readonly wasm: LuaWasm; readonly exports: LuaExports }> {
  const wasm = turn.then(loadAlone, loadAlone);
  turn = wasm;
  return wasm;
}

/** Loads happen one after the other, since each looks at what WebAssembly.instantiate returns meanwhile. */
let turn: Promise<unknown> = Promise.resolve();

async function loadAlone(): Promise<{ readonly wasm: LuaWasm; readonly exports: LuaExports }> {
  let exports: LuaExports | undefined;
  const original = WebAssembly.instantiate;
  const watching = async (...args: Parameters<typeof original>) => {
    const result: unknown = await original(...args);
    const instance = (result as { instance?: WebAssembly.Instance }).instance ?? (result as WebAssembly.Instance);
    if ('lua_gettop' in instance.exports) exports = instance.exports as LuaExports;
    return result;
  };
  WebAssembly.instantiate = watching as unknown as typeof original;
  try {
    const wasm = await new LuaFactory().getLuaModule();
    if (exports === undefined) throw new Error('wasmoon was loaded without WebAssembly.instantiate: other version?');
    return { wasm, exports };
  } finally {
    WebAssembly.instantiate = original;
  }
}
