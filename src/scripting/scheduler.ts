/**
 * Callbacks as coroutines: each runs on a pooled lua_State, may wait for something of the host, and is resumed with its results.
 * Only one runs at a time. What happens meanwhile in the host (a socket that closes, a wait that ends) starts when the
 * running one waits or has ended; only `protocol_encode` runs inside of another callback.
 */
import type { PushResults, Resume } from './mix/module.js';
import { ScriptError } from './stack.js';
import type { Vm } from './vm.js';

const LUA_OK = 0;
const LUA_YIELD = 1;
/** Not a status of Lua's: see `enter`. */
const LUA_BROKEN = -1;
/** What a coroutine yields when the host shall suspend its callback: a light userdata that scripts cannot make. */
export const WAIT_TOKEN = 2;
/** Idle coroutines kept for the next callbacks; about 1 KB each. */
const KEPT_IDLE = 256;
/** One callback of so many is measured: two looks at the clock cost a tenth of a small one. */
const MEASURED = 32;

/** How a callback ended: the number of results at the top of its stack, or what went wrong. */
export interface Outcome {
  readonly results: number;
  /** Message and traceback; null when it went well. */
  readonly error: string | null;
}

/** A coroutine and the callback on it. `owner` and `done` belong to whoever started it. */
export interface Thread<Owner> {
  readonly L: number;
  readonly ref: number;
  owner: Owner | null;
  /** Of the callback, for logs and counts: "on_message". */
  name: string;
  /** Milliseconds that the callback ran so far; negative when it is not measured. */
  ranMs: number;
  done: (thread: Thread<Owner>, outcome: Outcome) => void;
  /** Counts the waits of this coroutine, so that a wait that was given up wakes nobody. */
  ticket: number;
  waiting: boolean;
  /** False for a script's top level and for protocol_encode. */
  mayWait: boolean;
  /** The loaded version whose function runs. */
  generation: number;
}

export interface SchedulerCounts {
  callbacks: number;
  errors: number;
  waiting: number;
}

export class Scheduler<Owner> {
  running: Thread<Owner> | null = null;
  /** The version that callbacks belong to from now on. */
  generation = 0;
  readonly counts: SchedulerCounts = { callbacks: 0, errors: 0, waiting: 0 };
  /** Callbacks started, by name. */
  readonly started: Record<string, number> = {};
  private readonly idle: Thread<Owner>[] = [];
  private deferred: (() => void)[] = [];
  private readonly out: number;
  private closed = false;
  /** The version whose methods strings have now. */
  private shown = 0;
  /** Gives strings the methods of a version (environment.ts); set before the first callback. */
  show: (generation: number) => void = NOTHING;

  constructor(
    private readonly vm: Vm,
    private readonly maxWaiting: number,
    /** Takes the run time of every MEASURED-th callback. */
    private readonly ran: (ms: number) => void,
  ) {
    this.out = vm.stack.lua.malloc(4);
  }

  /** A coroutine with an empty stack: push a function and its arguments on its L, then `start` it. Null: no memory for one. */
  take(owner: Owner | null, name: string, done: Thread<Owner>['done']): Thread<Owner> | null {
    const thread = this.idle.pop() ?? this.make();
    if (thread === null) return null;
    thread.owner = owner;
    thread.name = name;
    thread.done = done;
    thread.mayWait = true;
    thread.generation = this.generation;
    return thread;
  }

  /** Runs the function under `args` arguments until it waits or ends; then `done` of the thread was or will be called. */
  start(thread: Thread<Owner>, args: number): void {
    this.started[thread.name] = (this.started[thread.name] ?? 0) + 1;
    const measured = this.counts.callbacks++ % MEASURED === 0;
    thread.ranMs = measured ? 0 : -1;
    if (measured) this.vm.relieve();
    this.resume(thread, args);
  }

  /** Lets go of a coroutine that was taken and cannot be used: there was no memory for its arguments. */
  discard(thread: Thread<Owner>): void {
    thread.owner = null;
    this.vm.stack.release(this.vm.L, thread.ref);
    this.vm.relieve();
  }

  /** A coroutine that has ended is kept for the next callback. */
  private giveBack(thread: Thread<Owner>): void {
    thread.owner = null;
    this.vm.stack.lua.lua_settop(thread.L, 0);
    if (this.idle.length < KEPT_IDLE) this.idle.push(thread);
    else this.vm.stack.release(this.vm.L, thread.ref);
  }

  /** Runs `fn` now, or when the running callback waits or has ended. */
  later(fn: () => void): void {
    if (this.running === null) fn();
    else this.deferred.push(fn);
  }

  /** See ModuleHost.wait. */
  wait(L: number, start: (resume: Resume) => void): number {
    const thread = this.running;
    if (thread === null || !thread.mayWait) {
      throw new ScriptError(
        'this call waits, which is not possible at the top level of a script or in protocol_encode',
      );
    }
    if (this.vm.stack.lua.lua_isyieldable(L) === 0) {
      throw new ScriptError(
        'this call waits, which is not possible here (inside of a function given to table.sort or string.gsub)',
      );
    }
    if (this.counts.waiting >= this.maxWaiting) {
      throw new ScriptError(`more than ${this.maxWaiting} callbacks wait (lua.waitingCallbacks)`);
    }
    const ticket = ++thread.ticket;
    let results: PushResults | null = null;
    start((push) => {
      if (results !== null) return;
      results = push;
      if (thread.waiting) this.later(() => this.wake(thread, ticket, push));
    });
    if (results !== null) return (results as PushResults)(L);
    // It is set already when a wait before this one could not suspend: a coroutine of the script inside of a table.sort function.
    if (!thread.waiting) this.counts.waiting++;
    thread.waiting = true;
    this.vm.stack.lua.lua_pushlightuserdata(L, WAIT_TOKEN);
    return this.vm.stack.lua.lua_yieldk(L, 1, 0, 0);
  }

  /** Nothing is resumed any more. */
  close(): void {
    this.closed = true;
    this.deferred = [];
  }

  private wake(thread: Thread<Owner>, ticket: number, push: PushResults): void {
    if (this.closed || !thread.waiting || thread.ticket !== ticket) return;
    let results = 0;
    // Without memory for the results the callback goes on with nil; its next allocation says why.
    this.vm.attempt(() => {
      results = push(thread.L);
    });
    this.resume(thread, results);
  }

  private resume(thread: Thread<Owner>, args: number): void {
    const { cpu, stack } = this.vm;
    const outer = this.running;
    const outerL = cpu.running;
    if (thread.waiting) {
      thread.waiting = false;
      this.counts.waiting--;
    }
    this.running = thread;
    if (outer === null) cpu.begin(thread.L);
    else cpu.running = thread.L;
    this.showVersion(thread);
    const began = thread.ranMs < 0 ? 0 : performance.now();
    const status = this.enter(thread, outerL, args);
    if (thread.ranMs >= 0) thread.ranMs += performance.now() - began;
    this.running = outer;
    cpu.running = outerL;
    const stopped = cpu.stopping;
    const results = stack.int32At(this.out);
    if (status === LUA_YIELD && this.yieldedToHost(thread, results)) {
      stack.lua.lua_settop(thread.L, -1 - results);
    } else this.end(thread, status, results, stopped);
    if (outer === null) this.settle();
    else this.showVersion(outer);
  }

  private showVersion({ generation }: Thread<Owner>): void {
    if (generation === this.shown) return;
    this.shown = generation;
    this.show(generation);
  }

  /** lua_resume. What comes out of it as an exception is no Lua error but a bug or the end of our own stack; the coroutine is lost. */
  private enter(thread: Thread<Owner>, from: number, args: number): number {
    const { lua } = this.vm.stack;
    const stack = lua.stackSave();
    try {
      return lua.lua_resume(thread.L, from === 0 ? this.vm.L : from, args, this.out);
    } catch (thrown) {
      lua.stackRestore(stack);
      this.vm.log.error('Lua was left by an exception', { error: String((thrown as Error).stack ?? thrown) });
      return LUA_BROKEN;
    }
  }

  private yieldedToHost(thread: Thread<Owner>, results: number): boolean {
    const { lua } = this.vm.stack;
    return thread.waiting && results === 1 && lua.lua_touserdata(thread.L, -1) === WAIT_TOKEN;
  }

  private end(thread: Thread<Owner>, status: number, results: number, stopped: boolean): void {
    thread.ticket++;
    if (thread.ranMs >= 0) this.ran(thread.ranMs);
    if (thread.waiting) {
      thread.waiting = false;
      this.counts.waiting--;
    }
    if (status === LUA_OK) {
      if (stopped) this.vm.cpu.calm(thread.L);
      thread.done(thread, { results, error: null });
      return this.giveBack(thread);
    }
    this.counts.errors++;
    if (status === LUA_BROKEN)
      return thread.done(thread, { results: 0, error: 'the callback was lost, see the line before' });
    const error = this.explain(thread, status);
    this.unwind(thread);
    if (stopped) this.vm.cpu.calm(thread.L);
    thread.done(thread, { results: 0, error });
    this.giveBack(thread);
  }

  /** Empties the stack of a coroutine that failed, which calls __close of what is on it: they run under the limits as well. */
  private unwind({ L }: Thread<Owner>): void {
    const { cpu, stack } = this.vm;
    const outer = cpu.running;
    cpu.running = L;
    stack.lua.lua_resetthread(L, 0);
    stack.lua.lua_settop(L, 0);
    cpu.running = outer;
  }

  /** Runs what was put off, and ends the CPU slice when nothing runs any more. */
  private settle(): void {
    this.vm.cpu.end();
    if (this.vm.isShort) this.vm.relieve();
    while (this.deferred.length > 0 && this.running === null) {
      const due = this.deferred;
      this.deferred = [];
      for (const fn of due) {
        if (this.running === null) fn();
        else this.deferred.push(fn);
      }
    }
  }

  /** Message and traceback of a coroutine that failed; its stack is still as it was at the error. */
  private explain(thread: Thread<Owner>, status: number): string {
    const { vm } = this;
    const { stack } = vm;
    const { lua } = stack;
    const message =
      status === LUA_YIELD
        ? 'coroutine.yield was called outside of a coroutine of the script'
        : lua.lua_type(thread.L, -1) === 4
          ? stack.decode(stack.toLString(thread.L, -1), Math.min(stack.lastLength(), LONGEST_ERROR))
          : `error object is a ${stack.typeName(thread.L, lua.lua_type(thread.L, -1))} value`;
    let trace = '';
    vm.wasm.withSpare(() =>
      vm.attempt(() => {
        lua.luaL_traceback(vm.L, thread.L, 0, 0);
        trace = stack.describe(vm.L, -1);
        lua.lua_settop(vm.L, -2);
      }),
    );
    return withPosition(message, trace);
  }

  private make(): Thread<Owner> | null {
    const { L, stack } = this.vm;
    let thread = 0;
    let ref = 0;
    const made = this.vm.attempt(() => {
      thread = stack.lua.lua_newthread(L);
      ref = stack.keep(L);
    });
    if (made) {
      const generation = this.generation;
      return {
        L: thread,
        ref,
        owner: null,
        name: '',
        ranMs: -1,
        done: NOTHING,
        ticket: 0,
        waiting: false,
        mayWait: true,
        generation,
      };
    }
    stack.lua.lua_settop(L, 0);
    this.vm.relieve();
    return null;
  }
}

/** Bytes of an error's own text that are told; a script may raise any string. */
const LONGEST_ERROR = 8192;
const NOTHING = (): void => undefined;

/** An error without a position (memory, a native function's own) gets that of the innermost line of the script. */
function withPosition(message: string, trace: string): string {
  const lines = trace.split('\n').filter((line) => !line.includes('[?]') && !line.includes('[C]: in ?'));
  const traceback = lines.slice(1).join('\n');
  const named = /^[^\n:]+:[0-9]+: /.test(message);
  const innermost = /^\s*([^\s[][^:\n]*:[0-9]+):/m.exec(traceback)?.[1];
  return `${named || innermost === undefined ? message : `${innermost}: ${message}`}\nstack traceback:\n${traceback}`;
}
