/**
 * One Lua VM: the state, its limits, and JavaScript functions made callable from Lua. It knows nothing of connections, versions
 * or the mesh. Scripts never see its own global table; environment.ts builds one for each version of them.
 */
import type { Log } from '../core/ports.js';
import { CpuLimit } from './cpu.js';
import type { HostFunction } from './mix/module.js';
import { REGISTRY, ScriptError, Stack } from './stack.js';
import { LuaPanic, loadWasm, UNWIND, type Wasm } from './wasm.js';

export interface VmLimits {
  readonly cpuLimitMs: number;
  readonly memoryLimitMb: number;
}

const START_LUA = `
local dump, load = string.dump, load
return function(f) return load(dump(f, true), "=?", "b") end, collectgarbage
`;

const LIBRARIES = ['coroutine', 'debug', 'math', 'string', 'table', 'utf8'] as const;

export class Vm {
  readonly stack: Stack;
  /** The main state. Callbacks never run on it. */
  readonly L: number;
  private stripper = 0;
  private collector = 0;
  /** Something found no memory since the last full collection that nothing was in the way of. */
  isShort = false;
  private collectAbove: number;

  private constructor(
    readonly wasm: Wasm,
    readonly cpu: CpuLimit,
    private readonly memoryLimitBytes: number,
    readonly log: Log,
  ) {
    this.collectAbove = memoryLimitBytes / 2;
    this.stack = new Stack(wasm.lua);
    this.L = wasm.lua.lua_newstate(wasm.allocator, 0);
    if (this.L === 0) throw new Error('lua.memoryLimitMb is too small for a VM');
    cpu.attach(
      this.stack,
      wasm.pointerToHook((L) => cpu.onHook(L)),
      this.L,
    );
    this.openLibraries();
  }

  static async create(limits: VmLimits, log: Log): Promise<Vm> {
    const cpu = new CpuLimit(limits.cpuLimitMs);
    const memoryBytes = limits.memoryLimitMb * 1024 * 1024;
    let vm: Vm | undefined;
    const wasm = await loadWasm({
      memoryBytes,
      large: (oldBytes, newBytes) => cpu.onLarge(oldBytes, newBytes),
      refused() {
        if (vm !== undefined) vm.isShort = true;
        cpu.onRefused();
      },
    });
    vm = new Vm(wasm, cpu, memoryBytes, log);
    return vm;
  }

  /** Bytes that Lua holds. */
  get memoryBytes(): number {
    return this.wasm.used();
  }

  /** Pushes a new Lua function that calls `fn`. Pointers are never given back: do this once per function, not per call. */
  pushFunction(L: number, fn: HostFunction): void {
    this.pushPointer(L, this.pointer(fn));
  }
  pointer(fn: HostFunction): number {
    const { stackSave, stackRestore } = this.stack.lua;
    return this.wasm.pointerTo((L) => {
      const stack = stackSave();
      try {
        return fn(L);
      } catch (thrown) {
        if (thrown === UNWIND) throw thrown;
        stackRestore(stack);
        return this.raise(L, thrown);
      }
    });
  }
  pushPointer(L: number, pointer: number): void {
    this.stack.lua.lua_pushcclosure(L, pointer, 0);
  }

  /** Runs what pushes values while no Lua runs; false when there was no memory left for it. */
  attempt(push: () => void): boolean {
    const stack = this.stack.lua.stackSave();
    try {
      push();
      return true;
    } catch (thrown) {
      this.recover(stack, thrown);
      return false;
    }
  }

  /** After a push that failed for want of memory, with the C stack as it was before; throws anything else on. */
  recover(stack: number, thrown: unknown): void {
    if (!(thrown instanceof LuaPanic) && !(thrown instanceof ScriptError)) throw thrown;
    this.stack.lua.stackRestore(stack);
  }

  /**
   * A full collection once no callback runs, after a want of memory or on the way to one. Lua knows nothing of the limit: it lets
   * garbage grow to as much as there is in use, and then makes a collection itself before it gives up; but not for stacks
   * of coroutines and buffers of long strings. Without this, a VM full of garbage would refuse every callback for ever.
   */
  relieve(): void {
    if (this.cpu.running !== 0 || !(this.isShort || this.wasm.used() > this.collectAbove)) return;
    this.stack.pushKept(this.L, this.collector);
    this.call(this.L, 0, 0);
    this.isShort = false;
    // Half of the way again, so that a VM that needs most of its memory is not collected all the time.
    this.collectAbove = (this.wasm.used() + this.memoryLimitBytes) / 2;
  }

  /** Compiles Lua text and pushes the function, or returns the error: "file:line: problem". */
  compile(L: number, text: Uint8Array, chunkName: string): string | null {
    const { lua } = this.stack;
    const mode = this.keepText('t');
    const name = this.keepText(chunkName);
    const source = lua.malloc(text.length + 1);
    try {
      if (source === 0) return `${chunkName}: not enough memory`;
      this.stack.heap().set(text, source);
      if (lua.luaL_loadbufferx(L, source, text.length, name, mode) === 0) return null;
      const problem = this.stack.describe(L, -1);
      lua.lua_settop(L, -2);
      return problem;
    } finally {
      lua.free(source);
      lua.free(name);
      lua.free(mode);
    }
  }

  /** Replaces the Lua function at the top by one without line numbers and names of locals. */
  strip(L: number): void {
    const { lua } = this.stack;
    lua.lua_rawgeti(L, REGISTRY, BigInt(this.stripper));
    lua.lua_rotate(L, -2, 1);
    this.call(L, 1, 1);
  }

  /** Calls the function under `args` arguments on the main state: for our own Lua text. Throws what it raises. */
  call(L: number, args: number, results: number): void {
    const { lua } = this.stack;
    if (lua.lua_pcallk(L, args, results, 0, 0, 0) === 0) return;
    const problem = this.stack.describe(L, -1);
    lua.lua_settop(L, -2);
    throw new Error(problem);
  }

  /** "file:line" of the Lua function that called the running host function. */
  where(L: number): string {
    const { lua } = this.stack;
    lua.luaL_where(L, 1);
    const text = this.stack.describe(L, -1);
    lua.lua_settop(L, -2);
    return text.replace(/:\s*$/, '');
  }

  /** Turns what a host function threw into a Lua error at the line that called it. Never returns. */
  private raise(L: number, thrown: unknown): never {
    const { lua } = this.stack;
    lua.luaL_where(L, 1);
    if (thrown instanceof ScriptError) this.stack.pushText(L, thrown.text);
    else {
      this.log.error('a host function failed', { error: String((thrown as Error)?.stack ?? thrown) });
      this.stack.pushText(L, `internal error: ${(thrown as Error)?.message ?? thrown}`);
    }
    lua.lua_concat(L, 2);
    lua.lua_error(L);
    throw UNWIND;
  }

  private openLibraries(): void {
    const { lua } = this.stack;
    const open = (name: string, library: unknown) => {
      lua.luaL_requiref(this.L, this.stack.cString(name), this.wasm.pointerOf(library), 1);
      lua.lua_settop(this.L, -2);
    };
    open('_G', lua.luaopen_base);
    for (const name of LIBRARIES) open(name, lua[`luaopen_${name}`]);
    const problem = this.compile(this.L, Buffer.from(START_LUA), '=start');
    if (problem !== null) throw new Error(problem);
    this.call(this.L, 0, 2);
    this.collector = this.stack.keep(this.L);
    this.stripper = this.stack.keep(this.L);
  }

  private keepText(text: string): number {
    const bytes = Buffer.from(`${text}\0`);
    const pointer = this.stack.lua.malloc(bytes.length);
    if (pointer === 0) throw new ScriptError('not enough memory');
    this.stack.heap().set(bytes, pointer);
    return pointer;
  }
}
