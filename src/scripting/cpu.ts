/**
 * The CPU limit: how long Lua may run before it waits or ends. Lua calls `hook` every so many instructions; from the deadline on
 * every instruction of the callback raises, so that a pcall around the loop does not go on. What one instruction may cost is
 * not the same everywhere: comparing two strings of 50 MB takes 20 ms, so the more large blocks the VM holds, the more
 * often the hook looks at the clock.
 */

import { invariant } from '../errors.js';
import { LARGE_BLOCK_BYTES } from './allocator.js';
import type { Stack } from './stack.js';
import { ScriptError } from './stack.js';

const MASK_COUNT = 8;
/** Instructions between two looks at the clock: about 10 us, unless each of them is a call of something native. */
const PERIOD = 1000;
/**
 * Where a lua_State of this build (5.4 on 32 bits) says whether hooks may run: off while one does. A hook that raises leaves it off,
 * until a pcall sets it again; a coroutine that dies of it would keep it, and what runs on it next, __close included, could not
 * be stopped.
 */
const ALLOW_HOOK = 7;
/** Coroutines entered between two looks: each has a count of its own, which a short one never reaches. */
const ENTERED_PER_LOOK = 64;
const SHORTEST_PERIOD = 20;
/** Bytes that may be touched between two looks. */
const BYTES_PER_LOOK = 200_000_000;

export class CpuLimit {
  /** The coroutine that runs now: the callback's, or one that its script made and resumed. */
  running = 0;
  /** Set once the limit is passed, until the callback has ended. */
  stopping = false;
  private deadline = 0;
  private largeBytes = 0;
  private entered = 0;
  private period = PERIOD;
  private hook = 0;
  private stack!: Stack;

  constructor(private readonly limitMs: number) {}

  /** Gives the pointer of `onHook` and the main state, whose hook all coroutines inherit. */
  attach(stack: Stack, hook: number, L: number): void {
    this.stack = stack;
    this.hook = hook;
    invariant(stack.heap()[L + ALLOW_HOOK] === 1, 'this Lua build lays out lua_State in another way');
    stack.lua.lua_sethook(L, hook, MASK_COUNT, PERIOD);
  }

  /** A callback begins or goes on. The clock is read when the hook comes by for the first time, not for each message. */
  begin(L: number): void {
    this.deadline = 0;
    this.stopping = false;
    this.running = L;
  }

  /** A callback waits or has ended. */
  end(): void {
    this.running = 0;
    this.stopping = false;
  }

  /** Back to the usual period, for a coroutine that was stopped and is used again. */
  calm(L: number): void {
    this.stack.lua.lua_sethook(L, this.hook, MASK_COUNT, this.period);
  }

  /** Called by Lua between two instructions of `L`. */
  onHook(L: number): void {
    if (this.stopping || this.over()) this.stop(L);
    else if (this.period !== PERIOD || this.stack.lua.lua_gethookcount(L) !== PERIOD) this.calm(L);
  }

  /** Looks at the clock before something native that takes its time. Throws when the time is over. */
  tick(): void {
    if (this.stopping || this.over()) {
      this.stopping = true;
      this.enter(this.running);
      throw new ScriptError(this.text());
    }
  }

  /** `L` runs from here on: a coroutine of the script, or the one that resumed it. */
  enter(L: number): void {
    this.running = L;
    // A callback that is being stopped is so in all its coroutines.
    if (this.stopping || (++this.entered % ENTERED_PER_LOOK === 0 && this.over())) this.stopSoon();
  }

  /** There was no memory for a block, after a full collection: as long as a script catches that, each try costs another one. */
  onRefused(): void {
    if (this.running !== 0 && (this.stopping || this.over())) this.stopSoon();
  }

  /** A block of Lua's changes its size (0: was not there, is gone); at least one of the two is large. */
  onLarge(oldBytes: number, newBytes: number): void {
    const before = oldBytes >= LARGE_BLOCK_BYTES ? oldBytes : 0;
    this.largeBytes = Math.max(0, this.largeBytes - before + (newBytes >= LARGE_BLOCK_BYTES ? newBytes : 0));
    this.period = Math.max(SHORTEST_PERIOD, Math.min(PERIOD, Math.floor(BYTES_PER_LOOK / this.largeBytes)));
    if (newBytes <= before || this.running === 0) return;
    if (this.stopping || this.over()) this.stopSoon();
    else if (this.period < PERIOD) this.calm(this.running);
  }

  /** Whether strings are short enough that comparing some thousand of them takes no time. */
  get quick(): boolean {
    return this.largeBytes === 0;
  }

  private over(): boolean {
    const now = performance.now();
    if (this.deadline === 0) this.deadline = now + this.limitMs;
    return now >= this.deadline;
  }

  /** The next instruction of what runs raises. */
  private stopSoon(): void {
    this.stack.lua.lua_sethook(this.running, this.hook, MASK_COUNT, 1);
  }

  private stop(L: number): void {
    this.stopping = true;
    const { lua } = this.stack;
    lua.lua_sethook(L, this.hook, MASK_COUNT, 1);
    lua.luaL_where(L, 0);
    this.stack.pushText(L, this.text());
    lua.lua_concat(L, 2);
    this.stack.heap()[L + ALLOW_HOOK] = 1;
    lua.lua_error(L);
  }

  private text(): string {
    return `stopped: ran longer than ${this.limitMs} ms without waiting (lua.cpuLimitMs)`;
  }
}
