/**
 * One instance of wasmoon's WebAssembly build of Lua 5.4, through its exports as they are: 5 ns a call where the functions on
 * wasmoon's own module object, which check and `apply` around each export, take 30. Its imports are ours: clock, error unwinding and
 * memory growth. Everything else that the build asks for (files, processes, environment) is not there, so no script can
 * reach it, whatever it finds in the VM.
 */
import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { allocatorModule, LISTS_BYTES } from './allocator.js';
import { compile, instantiate, type WasmInstance, type WasmMemory, type WasmModule } from './webassembly.js';

/** The exports of the Lua build that are used here. Pointers and lua_States are numbers, Lua integers are BigInt. */
export interface LuaExports {
  readonly memory: WasmMemory;
  stackSave(): number;
  stackRestore(pointer: number): void;
  malloc(size: number): number;
  free(pointer: number): void;
  lua_newstate(allocate: number, own: number): number;
  lua_newthread(L: number): number;
  lua_resetthread(L: number, from: number): number;
  lua_gettop(L: number): number;
  lua_settop(L: number, top: number): void;
  lua_checkstack(L: number, slots: number): number;
  lua_pushvalue(L: number, at: number): void;
  lua_rotate(L: number, at: number, by: number): void;
  lua_xmove(from: number, to: number, count: number): void;
  lua_pushnil(L: number): void;
  lua_pushboolean(L: number, value: number): void;
  lua_pushinteger(L: number, value: bigint): void;
  lua_pushnumber(L: number, value: number): void;
  lua_pushlstring(L: number, pointer: number, length: number): number;
  lua_pushcclosure(L: number, fn: number, upvalues: number): void;
  lua_pushlightuserdata(L: number, pointer: number): void;
  lua_pushthread(L: number): number;
  lua_createtable(L: number, list: number, record: number): void;
  lua_newuserdatauv(L: number, size: number, values: number): number;
  lua_setiuservalue(L: number, at: number, n: number): number;
  lua_getiuservalue(L: number, at: number, n: number): number;
  lua_setmetatable(L: number, at: number): number;
  lua_getmetatable(L: number, at: number): number;
  lua_rawset(L: number, at: number): void;
  lua_rawseti(L: number, at: number, n: bigint): void;
  lua_rawget(L: number, at: number): number;
  lua_rawgeti(L: number, at: number, n: bigint): number;
  lua_rawlen(L: number, at: number): bigint;
  lua_rawequal(L: number, a: number, b: number): number;
  lua_next(L: number, at: number): number;
  lua_type(L: number, at: number): number;
  lua_isinteger(L: number, at: number): number;
  lua_toboolean(L: number, at: number): number;
  lua_tointegerx(L: number, at: number, isInteger: number): bigint;
  lua_tonumberx(L: number, at: number, isNumber: number): number;
  lua_tolstring(L: number, at: number, length: number): number;
  lua_topointer(L: number, at: number): number;
  lua_touserdata(L: number, at: number): number;
  lua_error(L: number): number;
  lua_concat(L: number, count: number): void;
  lua_tothread(L: number, at: number): number;
  lua_pcallk(L: number, args: number, results: number, handler: number, context: number, continuation: number): number;
  lua_gethookcount(L: number): number;
  lua_iscfunction(L: number, at: number): number;
  lua_setupvalue(L: number, at: number, n: number): number;
  lua_resume(L: number, from: number, args: number, results: number): number;
  lua_yieldk(L: number, values: number, context: number, continuation: number): number;
  lua_isyieldable(L: number): number;
  lua_sethook(L: number, hook: number, mask: number, count: number): void;
  luaL_checklstring(L: number, at: number, length: number): number;
  luaL_checkinteger(L: number, at: number): bigint;
  luaL_checknumber(L: number, at: number): number;
  luaL_checktype(L: number, at: number, type: number): void;
  luaL_argerror(L: number, at: number, text: number): number;
  luaL_tolstring(L: number, at: number, length: number): number;
  luaL_loadbufferx(L: number, pointer: number, length: number, name: number, mode: number): number;
  luaL_requiref(L: number, name: number, open: number, global: number): void;
  luaL_traceback(L: number, of: number, text: number, level: number): void;
  luaL_where(L: number, level: number): void;
  luaL_ref(L: number, table: number): number;
  luaL_unref(L: number, table: number, ref: number): void;
  luaopen_base(L: number): number;
  luaopen_coroutine(L: number): number;
  luaopen_debug(L: number): number;
  luaopen_math(L: number): number;
  luaopen_string(L: number): number;
  luaopen_table(L: number): number;
  luaopen_utf8(L: number): number;
}

interface Runtime {
  readonly __indirect_function_table: {
    get(at: number): ((a: number, b: number) => void) | null;
    set(at: number, fn: unknown): void;
    grow(by: number): number;
  };
  __wasm_call_ctors(): void;
  emscripten_stack_init(): void;
  setThrew(threw: number, value: number): void;
  realloc(pointer: number, size: number): number;
}

export interface Wasm {
  readonly lua: LuaExports;
  /** Bytes that Lua holds now. */
  used(): number;
  /** Runs something small that must find memory even when the limit is reached: the words for an error. */
  withSpare(run: () => void): void;
  /** Pointer to an allocator for lua_newstate which keeps within the limit. */
  readonly allocator: number;
  /** Makes a JavaScript function callable by Lua: a lua_CFunction (L → number of results) or, with two parameters, a hook. */
  pointerTo(fn: (L: number) => number): number;
  pointerToHook(fn: (L: number, record: number) => void): number;
  /** Pointer of one of the build's own functions, such as luaopen_string. */
  pointerOf(fn: unknown): number;
}

export interface WasmLimits {
  /** Bytes that Lua may hold. One more, and the allocation fails: Lua's "not enough memory", after a full collection. */
  readonly memoryBytes: number;
  /** Told before a block of at least LARGE_BLOCK_BYTES is made, or one is given back. */
  large(oldBytes: number, newBytes: number): void;
  /** Told when there is no memory for a block. */
  refused(): void;
}

/** What lies around Lua's own bytes in the memory: the C stack, static data, and what malloc loses between blocks. */
const OVERHEAD_BYTES = 8 * 1024 * 1024;
const SPARE_BYTES = 256 * 1024;
const PAGE_BYTES = 65536;

let luaModule: Promise<WasmModule> | undefined;

/** Loads one instance of its own: memory, table and all. The code is compiled once per process. */
export async function loadWasm(limits: WasmLimits): Promise<Wasm> {
  luaModule ??= readFile(createRequire(import.meta.url).resolve('wasmoon/dist/glue.wasm')).then(compile);
  const most = { bytes: limits.memoryBytes };
  const instance = await instantiateLua(await luaModule, most);
  const exports = instance.exports as unknown as LuaExports & Runtime;
  exports.emscripten_stack_init();
  exports.__wasm_call_ctors();
  const allocator = await instantiate(await allocatorModule(), {
    lua: {
      memory: exports.memory,
      realloc: exports.realloc,
      free: exports.free,
      large: (from: number, to: number) => limits.large(from, to),
      refused: () => limits.refused(),
    },
  });
  const { allocate, used, limit, lists } = allocator.exports as unknown as {
    allocate: unknown;
    used: { value: number };
    limit: { value: number };
    lists: { value: number };
  };
  limit.value = most.bytes;
  lists.value = exports.malloc(LISTS_BYTES);
  Buffer.from(exports.memory.buffer).fill(0, lists.value, lists.value + LISTS_BYTES);
  const table = exports.__indirect_function_table;
  const pointerOf = (fn: unknown): number => {
    const at = table.grow(1);
    table.set(at, fn);
    return at;
  };
  const callable = await trampolines();
  return {
    lua: exports,
    used: () => used.value >>> 0,
    withSpare(run) {
      limit.value = most.bytes = limits.memoryBytes + SPARE_BYTES;
      try {
        run();
      } finally {
        limit.value = most.bytes = limits.memoryBytes;
      }
    },
    allocator: pointerOf(allocate),
    pointerOf,
    pointerTo: (fn) => pointerOf(callable('function', fn)),
    pointerToHook: (fn) => pointerOf(callable('hook', fn)),
  };
}

async function instantiateLua(module: WasmModule, most: { readonly bytes: number }): Promise<WasmInstance> {
  const absent = (name: string) => () => {
    throw new Error(`the Lua build called ${name}, which is not there`);
  };
  const imports: Record<string, Record<string, unknown>> = {};
  for (const { module: from, name } of module.imports) {
    imports[from] ??= {};
    imports[from][name] = absent(name);
  }
  let runtime: Runtime & LuaExports;
  // The table makes its functions callable anew at each look.
  const called: ((a: number, b: number) => void)[] = [];
  Object.assign(imports.env, {
    /** C's setjmp: calls a function and notes whether it was left by a longjmp. */
    invoke_vii(fn: number, a: number, b: number): void {
      const stack = runtime.stackSave();
      called[fn] ??= runtime.__indirect_function_table.get(fn) as (a: number, b: number) => void;
      try {
        called[fn](a, b);
      } catch (thrown) {
        runtime.stackRestore(stack);
        if (thrown !== UNWIND) throw thrown;
        runtime.setThrew(1, 0);
      }
    },
    /** C's longjmp: how Lua raises an error and yields. */
    _emscripten_throw_longjmp(): never {
      throw UNWIND;
    },
    /** An error outside of any protected call: in our own pushes, when the memory limit is reached. */
    abort(): never {
      throw new LuaPanic();
    },
    /** Lua takes it for the seeds of math.random and of its tables' hashes: nodes that start together must not have the same. */
    emscripten_date_now: () => randomInt(2 ** 47),
    emscripten_resize_heap(bytes: number): number {
      const now = runtime.memory.buffer.byteLength;
      const end = Math.max(now, most.bytes + OVERHEAD_BYTES);
      if (bytes >>> 0 > end) return 0;
      const pages = Math.ceil((Math.min(end, Math.max(bytes >>> 0, now * 1.2)) - now) / PAGE_BYTES);
      try {
        runtime.memory.grow(pages);
        return 1;
      } catch {
        return 0;
      }
    },
  });
  Object.assign(imports.wasi_snapshot_preview1, {
    environ_sizes_get(count: number, size: number): number {
      const view = new DataView(runtime.memory.buffer);
      view.setUint32(count, 0, true);
      view.setUint32(size, 0, true);
      return 0;
    },
    environ_get: () => 0,
  });
  const instance = await instantiate(module, imports);
  runtime = instance.exports as unknown as typeof runtime;
  return instance;
}

/** Thrown out of a call that allocates while no Lua runs and there is no memory left. The coroutine it was for is not usable any more. */
export class LuaPanic extends Error {
  override readonly name = 'LuaPanic';
  constructor() {
    super('not enough memory');
  }
}

/** What a longjmp throws. Passes through host functions, which must not catch it. */
export const UNWIND = Number.POSITIVE_INFINITY;

/**
 * A function table takes functions of WebAssembly only, so a JavaScript function goes through a module of one import and one export:
 * `(type (func (param i32 …) (result i32)?)) (import "e" "f" (func)) (export "f" (func 0))`.
 */
async function trampolines(): Promise<(kind: 'function' | 'hook', fn: unknown) => unknown> {
  const I32 = 0x7f;
  const build = (type: readonly number[]) =>
    compile(
      Uint8Array.from([
        ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
        ...[1, type.length + 2, 1, 0x60, ...type],
        ...[2, 7, 1, 1, 0x65, 1, 0x66, 0, 0],
        ...[7, 5, 1, 1, 0x66, 0, 0],
      ]),
    );
  const modules = { function: await build([1, I32, 1, I32]), hook: await build([2, I32, I32, 0]) };
  return (kind, fn) => modules[kind].instantiateNow({ e: { f: fn } }).exports.f;
}
