/** What one configured server tells its script: a server's and the `lua` settings together (config/schema.ts has types, defaults and docs). */
import type { LuaConfig, ServerConfig } from '../config/schema.js';

export type ScriptOptions = Pick<ServerConfig, 'protocol' | 'entry' | 'options' | 'maxPayloadBytes'> &
  Pick<
    LuaConfig,
    'cpuLimitMs' | 'memoryLimitMb' | 'reloadSeconds' | 'pendingMessages' | 'waitingCallbacks' | 'redis' | 'http'
  >;

export interface ScriptStats {
  /** Callbacks started, and those that ended with an error. */
  readonly callbacks: number;
  readonly errors: number;
  /** Callbacks that wait now. */
  readonly waiting: number;
  /** Connections that the script knows. */
  readonly connections: number;
  /** Timers that are set. */
  readonly timers: number;
  /** Times the scripts were swapped for a newer version. */
  readonly reloads: number;
  /** Bytes that the VM holds. */
  readonly memoryBytes: number;
  /** WebAssembly memory of the VM, which never shrinks: those bytes and what malloc keeps around them. */
  readonly reservedBytes: number;
}
