/**
 * Global tables for scripts: one for each loaded version of them, made of the sandbox (sandbox.ts) and the function library
 * (mix/). Nothing in one is shared with another, so that a new version starts clean.
 */

import { pushGuards } from './guard.js';
import type { HostFunction, MixModule } from './mix/module.js';
import { SANDBOX_LUA } from './sandbox.js';
import type { Vm } from './vm.js';

/** What scripts keep of `debug`. */
const DEBUG_LUA = 'debug = { traceback = debug.traceback }';

export class Environments {
  /** The Lua function that makes a sandboxed global table. */
  private readonly make: number;
  private readonly showing: number;
  private readonly pointers = new Map<HostFunction, number>();

  constructor(
    private readonly vm: Vm,
    private readonly modules: readonly MixModule[],
  ) {
    const { L, stack } = vm;
    this.compileWithoutLines(SANDBOX_LUA, '=sandbox');
    pushGuards(vm, L);
    vm.call(L, 1, 2);
    this.showing = stack.keep(L);
    this.make = stack.keep(L);
  }

  /** From here on the methods of strings are those of a version; they are the only thing that versions have to share. */
  show(generation: number): void {
    const { L, stack } = this.vm;
    stack.pushKept(L, this.showing);
    stack.pushCount(L, generation);
    this.vm.call(L, 1, 0);
  }

  /** Pushes a fresh global table for a version on the main state. */
  push(generation: number): void {
    const { L, stack } = this.vm;
    stack.pushKept(L, this.make);
    stack.pushCount(L, generation);
    this.vm.call(L, 1, 1);
    const env = stack.getTop(L);
    for (const { functions = {}, constants = {} } of this.modules) {
      for (const [name, fn] of Object.entries(functions)) this.set(env, name, () => this.pushFunction(L, fn));
      for (const [name, push] of Object.entries(constants)) this.set(env, name, () => push(L));
    }
    for (const { lua, internal = {} } of this.modules) {
      if (lua === undefined) continue;
      this.compileIn(env, lua.text, `=${lua.name}`);
      stack.createTable(L, 0, 4);
      for (const [name, fn] of Object.entries(internal)) {
        this.pushFunction(L, fn);
        stack.setField(L, name);
      }
      this.vm.call(L, 1, 0);
    }
    this.compileIn(env, DEBUG_LUA, '=sandbox');
    this.vm.call(L, 0, 0);
  }

  /** Compiles our own text with the table at `env` as its global table, and pushes the function. */
  compileIn(env: number, text: string, name: string): void {
    const { L, stack } = this.vm;
    this.compileWithoutLines(text, name);
    stack.pushValue(L, env);
    stack.lua.lua_setupvalue(L, -2, 1);
  }

  /** Sets `value` pushed by `push` under a dotted name, making tables on the way. */
  private set(env: number, name: string, push: () => void): void {
    const { L, stack } = this.vm;
    const parts = name.split('.');
    stack.pushValue(L, env);
    for (const part of parts.slice(0, -1)) {
      if (stack.getField(L, -1, part) === 0) {
        stack.setTop(L, -2);
        stack.createTable(L, 0, 8);
        stack.setField(L, part);
        stack.getField(L, -1, part);
      }
    }
    push();
    stack.setField(L, parts[parts.length - 1]);
    stack.setTop(L, env);
  }

  pushFunction(L: number, fn: HostFunction): void {
    let pointer = this.pointers.get(fn);
    if (pointer === undefined) {
      pointer = this.vm.pointer(fn);
      this.pointers.set(fn, pointer);
    }
    this.vm.pushPointer(L, pointer);
  }

  /** Our own text carries no line numbers: an error of a native function is then blamed on no line instead of one of ours. */
  private compileWithoutLines(text: string, name: string): void {
    const { vm } = this;
    const problem = vm.compile(vm.L, Buffer.from(text), name);
    if (problem !== null) throw new Error(problem);
    vm.strip(vm.L);
  }
}
