/**
 * How a part of the function library is made known to scripts. A module file exports `const x: MakeModule`; script.ts lists
 * them. `vm.stack` reads arguments and pushes results.
 *
 *   export const hashes: MakeModule = ({ stack }) => ({
 *     functions: {
 *       'mix.md5'(L) {
 *         stack.pushBytes(L, toHex(digest('md5', stack.checkBytes(L, 1))));
 *         return 1;
 *       },
 *     },
 *   });
 *
 *   'mix.http.request'(L) {
 *     const asked = readRequest(stack, L);                       // read everything before waiting
 *     return vm.wait(L, (resume) => {
 *       client.request(asked).then((answer) => resume((L) => pushResponse(stack, L, answer)));
 *     });
 *   }
 */
import type { Log, Meter } from '../../core/ports.js';
import type { ScriptConnection } from '../roles.js';
import type { Stack } from '../stack.js';

/**
 * Called by Lua with its arguments at 1 … getTop(L); pushes its results and returns how many. It may throw ScriptError (a Lua
 * error at the script's line). Errors that a script is expected to look at are results: `stack.pushFailure(L, text)`.
 * The stack has room for 20 values; checkStack for more.
 */
export type HostFunction = (L: number) => number;

/** Pushes the results of a call that waited and returns how many. `L` is the coroutine that called. */
export type PushResults = (L: number) => number;

/** Ends a wait, once, from anywhere, at once or later; after the script was closed it does nothing. */
export type Resume = (push: PushResults) => void;

export interface MixModule {
  /** By the dotted name under which scripts call them: 'mix.md5', 'bit.band', 'print'. */
  readonly functions?: Readonly<Record<string, HostFunction>>;
  /**
   * Lua text, run once for each loaded version of the scripts in its fresh global table, in the order of the modules, after all
   * functions were set, and before `debug` is taken away (it has all of it here). `...` is a table with the `internal` functions.
   */
  readonly lua?: { readonly name: string; readonly text: string };
  /** Functions for the module's own Lua text only, never seen by scripts. */
  readonly internal?: Readonly<Record<string, HostFunction>>;
  /** Plain values by dotted name: mix.DEBUG, mix.null. `push` pushes one. */
  readonly constants?: Readonly<Record<string, (L: number) => void>>;
  /** Called when the script is closed for good: end connections. */
  close?(): void;
}

/** What a module may ask of the VM it lives in. */
export interface ModuleHost {
  readonly stack: Stack;
  readonly log: Log;
  readonly meter: Meter;
  /** File and line of the script that called the host function, as "entry.lua:12", for log lines. */
  where(L: number): string;
  /**
   * `return vm.wait(L, start)`: suspends the callback that runs until `resume` is called, whose results become the results of the
   * host function. When `start` calls resume at once, nothing is suspended. Raises where waiting is not possible (top level
   * of a script, inside of a table.sort or string.gsub function). `start` must not throw, and must not use `L`.
   */
  wait(L: number, start: (resume: Resume) => void): number;
  /** The connection that the running callback belongs to. */
  connection(): ScriptConnection | null;
}

export type MakeModule = (vm: ModuleHost) => MixModule;
