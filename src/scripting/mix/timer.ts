/** `mix.timer`: functions that run later. A timer belongs to the version of the scripts that set it and ends with it. */
import { ScriptError, type Stack } from '../stack.js';
import type { MakeModule } from './module.js';

/** Timers of one script at the same time. */
const MOST_TIMERS = 10_000;
const LONGEST_MS = 2 ** 31 - 1;
const SHORTEST_MS = 1;

interface Timer {
  readonly generation: number;
  readonly handle: NodeJS.Timeout;
  /** The function, in the registry. */
  readonly ref: number;
}

export class Timers {
  private readonly timers = new Map<number, Timer>();
  private last = 0;

  constructor(
    private readonly stack: Stack,
    private readonly L: number,
    /** Runs the function kept under `ref` as a callback. */
    private readonly run: (ref: number) => void,
    /** Version of the callback that runs now. */
    private readonly generation: () => number,
    /** Version that new callbacks belong to. */
    private readonly current: () => number,
  ) {}

  get size(): number {
    return this.timers.size;
  }

  readonly module: MakeModule = () => ({
    functions: {
      'mix.timer.after': (L) => this.set(L, false),
      'mix.timer.every': (L) => this.set(L, true),
      'mix.timer.cancel': (L) => {
        this.stack.pushBoolean(L, this.cancel(this.stack.checkNumber(L, 1)) ? 1 : 0);
        return 1;
      },
    },
  });

  /** Ends the timers of a version. */
  cancelOf(generation: number): void {
    for (const [id, timer] of this.timers) if (timer.generation === generation) this.cancel(id);
  }

  close(): void {
    for (const id of this.timers.keys()) this.cancel(id);
  }

  private set(L: number, again: boolean): number {
    const { stack } = this;
    const seconds = stack.checkNumber(L, 1);
    stack.lua.luaL_checktype(L, 2, 6);
    if (!(seconds >= 0)) throw new ScriptError(`bad argument #1 (seconds must not be negative, got ${seconds})`);
    const generation = this.generation();
    if (generation < this.current()) {
      return stack.pushFailure(L, 'this version of the script has been replaced: its timers do not run any more');
    }
    if (this.timers.size >= MOST_TIMERS) return stack.pushFailure(L, `more than ${MOST_TIMERS} timers`);
    const ms = Math.min(LONGEST_MS, Math.max(SHORTEST_MS, seconds * 1000));
    const id = ++this.last;
    stack.pushValue(L, 2);
    const ref = stack.keep(L);
    const handle = again ? setInterval(() => this.run(ref), ms) : setTimeout(() => this.fire(id), ms);
    handle.unref();
    this.timers.set(id, { generation, handle, ref });
    stack.pushCount(L, id);
    return 1;
  }

  private fire(id: number): void {
    const timer = this.timers.get(id);
    if (timer === undefined) return;
    this.run(timer.ref);
    this.cancel(id);
  }

  private cancel(id: number): boolean {
    const timer = this.timers.get(id);
    if (timer === undefined) return false;
    clearTimeout(timer.handle);
    this.timers.delete(id);
    this.stack.release(this.L, timer.ref);
    return true;
  }
}
