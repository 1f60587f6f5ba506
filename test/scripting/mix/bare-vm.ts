/** Just enough of a VM to call the function library: modules registered, chunks run as coroutines that may wait. No sandbox. */
import type { Log } from '../../../src/core/ports.js';
import type { HostFunction, MakeModule, PushResults } from '../../../src/scripting/mix/module.js';
import { ScriptError, Stack } from '../../../src/scripting/stack.js';
import { loadWasm } from '../../../src/scripting/wasm.js';

const YIELDED = 1;

export class BareVm {
  readonly lines: string[] = [];
  private readonly closers: (() => void)[] = [];
  /** Where lua_resume writes how many results there are. */
  private readonly counts: number;
  private waiting: Promise<PushResults> | null = null;

  private constructor(
    private readonly wasm: Awaited<ReturnType<typeof loadWasm>>,
    readonly stack: Stack,
    private readonly L: number,
  ) {
    this.counts = wasm.lua.malloc(4);
  }

  static async open(...modules: MakeModule[]): Promise<BareVm> {
    const wasm = await loadWasm({ memoryBytes: 256 * 1024 * 1024, large() {}, refused() {} });
    const { lua } = wasm;
    const stack = new Stack(lua);
    const vm = new BareVm(wasm, stack, lua.lua_newstate(wasm.allocator, 0));
    const libraries = {
      _G: lua.luaopen_base,
      coroutine: lua.luaopen_coroutine,
      debug: lua.luaopen_debug,
      math: lua.luaopen_math,
      string: lua.luaopen_string,
      table: lua.luaopen_table,
      utf8: lua.luaopen_utf8,
    };
    for (const [name, library] of Object.entries(libraries)) {
      lua.luaL_requiref(vm.L, stack.cString(name), wasm.pointerOf(library), 1);
      stack.setTop(vm.L, 0);
    }
    vm.start('mix = {}', (co) => stack.pushNil(co));
    for (const make of modules) vm.add(make);
    return vm;
  }

  /** Runs a chunk and gives its results; of tables and functions only their type. Throws Lua errors. */
  async run(code: string, ...args: (string | Buffer)[]): Promise<unknown[]> {
    const { stack, L } = this;
    const { lua } = this.wasm;
    const co = lua.lua_newthread(L);
    const kept = stack.keep(L);
    try {
      this.load(co, code, '=chunk');
      for (const arg of args) stack.pushBytes(co, Buffer.from(arg as string));
      let status = lua.lua_resume(co, 0, args.length, this.counts);
      while (status === YIELDED) {
        const push: PushResults = await this.waiting!;
        stack.setTop(co, 0);
        status = lua.lua_resume(co, 0, push(co), this.counts);
      }
      if (status !== 0) throw new Error(stack.describe(co, -1));
      return Array.from({ length: stack.getTop(co) }, (_, i) => this.read(co, i + 1));
    } finally {
      stack.release(L, kept);
    }
  }

  /** The first result. */
  async value(code: string, ...args: (string | Buffer)[]): Promise<unknown> {
    return (await this.run(code, ...args))[0];
  }

  close(): void {
    for (const close of this.closers) close();
  }

  private add(make: MakeModule): void {
    const { stack, lines } = this;
    const note = (message: string) => void lines.push(message);
    const log: Log = { debug: note, info: note, warn: note, error: note };
    const module = make({
      stack,
      log,
      meter: { count() {}, observe() {} },
      where: () => 'chunk:1',
      connection: () => null,
      wait: (L, start) => {
        this.waiting = new Promise((resume) => start(resume));
        return this.wasm.lua.lua_yieldk(L, 0, 0, 0);
      },
    });
    if (module.close) this.closers.push(() => module.close?.());
    for (const [name, fn] of Object.entries(module.functions ?? {})) {
      this.start(`${name} = ...`, (co) => this.pushFunction(co, fn));
    }
    for (const [name, push] of Object.entries(module.constants ?? {})) this.start(`${name} = ...`, push);
    if (!module.lua) return;
    this.start(module.lua.text, (co) => {
      stack.createTable(co, 0, 0);
      for (const [name, fn] of Object.entries(module.internal ?? {})) {
        this.pushFunction(co, fn);
        stack.setField(co, name);
      }
    });
  }

  /** Runs a chunk that does not wait, with one argument. */
  private start(code: string, push: (co: number) => void): void {
    const { stack, L } = this;
    const { lua } = this.wasm;
    const co = lua.lua_newthread(L);
    const kept = stack.keep(L);
    this.load(co, code, '=start');
    push(co);
    if (lua.lua_resume(co, 0, 1, this.counts) !== 0) throw new Error(stack.describe(co, -1));
    stack.release(L, kept);
  }

  private pushFunction(L: number, fn: HostFunction): void {
    const { lua } = this.wasm;
    const called = (L: number): number => {
      try {
        return fn(L);
      } catch (error) {
        if (!(error instanceof ScriptError)) throw error;
        this.stack.pushText(L, error.text);
        return lua.lua_error(L);
      }
    };
    lua.lua_pushcclosure(L, this.wasm.pointerTo(called), 0);
  }

  private load(L: number, code: string, name: string): void {
    const { lua } = this.wasm;
    const { stack } = this;
    const bytes = Buffer.from(code);
    const pointer = lua.malloc(bytes.length + name.length + 1);
    stack.heap().set(bytes, pointer);
    stack.heap().write(`${name}\0`, pointer + bytes.length);
    const status = lua.luaL_loadbufferx(L, pointer, bytes.length, pointer + bytes.length, 0);
    lua.free(pointer);
    if (status !== 0) throw new Error(stack.describe(L, -1));
  }

  private read(L: number, at: number): unknown {
    const { stack } = this;
    switch (stack.typeName(L, stack.type(L, at))) {
      case 'nil':
        return null;
      case 'boolean':
        return stack.toBoolean(L, at) === 1;
      case 'number':
        return stack.isInteger(L, at) === 1 ? stack.toInteger(L, at) : stack.toNumber(L, at);
      case 'string':
        return stack.checkBytes(L, at).toString('latin1');
      default:
        return `<${stack.typeName(L, stack.type(L, at))}>`;
    }
  }
}
