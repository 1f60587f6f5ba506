/**
 * One loaded version of the scripts: a global table of its own, the entry file and the modules it required, and references to the
 * functions that callbacks go through. `load` runs the top level; what goes wrong there is an error text with file and line.
 */
import { DISPATCH_LUA, ENTRIES, type EntryName } from './dispatch.js';
import type { Environments } from './environment.js';
import type { HostFunction } from './mix/module.js';
import type { Scheduler } from './scheduler.js';
import type { ReadScript, ScriptFiles } from './script-files.js';
import { LUA_TYPE } from './stack.js';
import type { Vm } from './vm.js';

export interface Version {
  readonly generation: number;
  readonly entries: Readonly<Record<EntryName, bigint>>;
  /** Whether the script has a global function of this name now. */
  defines(name: string): boolean;
  /** Lets go of everything; callbacks that still wait keep what they use. */
  release(): void;
}

export interface VersionParts {
  readonly vm: Vm;
  readonly scheduler: Scheduler<unknown>;
  readonly environments: Environments;
  /** Host functions of DISPATCH_LUA and REQUIRE_LUA. */
  readonly framing: Readonly<Record<string, HostFunction>>;
  readonly requiring: { readonly find: HostFunction; readonly load: HostFunction; readonly done: HostFunction };
}

/** Compiles and runs the entry file in a fresh environment. A string: why it does not load. */
export function loadVersion(parts: VersionParts, generation: number, files: ScriptFiles): Version | string {
  const { vm } = parts;
  const { L, stack } = vm;
  const top = stack.getTop(L);
  try {
    parts.environments.push(generation);
    const env = stack.getTop(L);
    const entries = pushEntries(parts, env);
    setRequire(parts, env);
    const problem = runEntry(parts, env, files, generation);
    if (problem !== null) {
      for (const ref of Object.values(entries)) stack.release(L, Number(ref));
      return problem;
    }
    stack.pushValue(L, env);
    const envRef = stack.keep(L);
    return {
      generation,
      entries,
      defines(name) {
        stack.pushKept(L, envRef);
        const type = stack.getField(L, -1, name);
        stack.setTop(L, -3);
        return type === LUA_TYPE.function;
      },
      release() {
        stack.release(L, envRef);
        for (const ref of Object.values(entries)) stack.release(L, Number(ref));
      },
    };
  } finally {
    stack.setTop(L, top);
  }
}

function pushEntries({ vm, environments, framing }: VersionParts, env: number): Record<EntryName, bigint> {
  const { L, stack } = vm;
  environments.compileIn(env, DISPATCH_LUA, '=dispatch');
  stack.createTable(L, 0, 4);
  for (const [name, fn] of Object.entries(framing)) {
    environments.pushFunction(L, fn);
    stack.setField(L, name);
  }
  vm.call(L, 1, ENTRIES.length);
  const refs = {} as Record<EntryName, bigint>;
  for (const name of [...ENTRIES].reverse()) refs[name] = BigInt(stack.keep(L));
  return refs;
}

/** On a coroutine, so that the limits hold and an error has a traceback. */
function runEntry({ vm, scheduler }: VersionParts, env: number, files: ScriptFiles, generation: number): string | null {
  const { L, stack } = vm;
  const entry = files.entry();
  if (typeof entry === 'string') return entry;
  const problem = compileIn(vm, env, entry);
  if (problem !== null) return problem;
  let failed: string | null = null;
  const thread = scheduler.take(null, 'top level', (_thread, outcome) => {
    failed = outcome.error;
  });
  if (thread === null) return 'not enough memory';
  stack.lua.lua_xmove(L, thread.L, 1);
  thread.generation = generation;
  thread.mayWait = false;
  scheduler.start(thread, 0);
  return failed;
}

/** Compiles a file of the script with the table at `env` as its global table; pushes the function on the main state. */
function compileIn(vm: Vm, env: number, file: ReadScript): string | null {
  const problem = vm.compile(vm.L, file.text, `@${file.name}`);
  if (problem !== null) return problem;
  vm.stack.pushValue(vm.L, env);
  vm.stack.lua.lua_setupvalue(vm.L, -2, 1);
  return null;
}

const REQUIRE_LUA = `
local find, load, done = ...
local env, error, type, setmetatable = _G, error, type, setmetatable
-- Path → a table with "by", the coroutine that runs the module's top level, until that has ended, however it does.
local loading, ending = {}, { __close = done }
local running = coroutine.running
local loaded = { _G = env, string = string, table = table, math = math, coroutine = coroutine, utf8 = utf8, os = os, bit = bit, mix = mix }
package = { loaded = loaded, path = "?.lua", cpath = "" }

function require(name)
  if type(name) ~= "string" then error("bad argument #1 to 'require' (string expected, got " .. type(name) .. ")", 2) end
  local value = loaded[name]
  if value ~= nil then return value end
  local path, problem = find(name)
  if path == nil then error(problem, 2) end
  value = loaded[path]
  if value ~= nil then return value end
  if loading[path] and loading[path].by == running() then error("loop of modules: '" .. name .. "' is being loaded already", 2) end
  local run
  run, problem = load(env, path)
  if run == nil then error(problem, 0) end
  local mark <close> = setmetatable({ by = running() }, ending)
  loading[path] = mark
  value = run(name, path)
  if value == nil then value = loaded[name] end
  if value == nil then value = true end
  loaded[path], loaded[name] = value, value
  return value
end
`;

function setRequire({ vm, environments, requiring }: VersionParts, env: number): void {
  environments.compileIn(env, REQUIRE_LUA, '=require');
  environments.pushFunction(vm.L, requiring.find);
  environments.pushFunction(vm.L, requiring.load);
  environments.pushFunction(vm.L, requiring.done);
  vm.call(vm.L, 3, 0);
}

/** The host functions of REQUIRE_LUA; `files` are those of the version that is being loaded or runs. */
export function requireFunctions(vm: Vm, files: () => ScriptFiles): VersionParts['requiring'] {
  const { stack } = vm;
  return {
    find(L) {
      const found = files().find(stack.checkText(L, 1));
      if ('problem' in found) return stack.pushFailure(L, found.problem);
      stack.pushText(L, found.path);
      return 1;
    },
    /** (env, path): the compiled module, or nil and the problem. */
    load(L) {
      const file = files().read(stack.checkText(L, 2));
      if (typeof file === 'string') return stack.pushFailure(L, file);
      const top = stack.getTop(vm.L);
      stack.pushValue(L, 1);
      stack.lua.lua_xmove(L, vm.L, 1);
      const problem = compileIn(vm, top + 1, file);
      if (problem === null) stack.lua.lua_xmove(vm.L, L, 1);
      stack.setTop(vm.L, top);
      return problem === null ? 1 : stack.pushFailure(L, problem);
    },
    /** Not in Lua, where it would not run for a callback that is being stopped. */
    done(L) {
      stack.setTop(L, 1);
      stack.pushNil(L);
      stack.setField(L, 'by');
      return 0;
    },
  };
}
