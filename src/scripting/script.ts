/**
 * The scripts of one configured server: what the gateway calls for its connections, what the API calls for their contexts, and the
 * life of the VM behind it. The parts: vm (Lua), scheduler (callbacks as coroutines), turns (order per connection), reloader
 * (versions), mix/ (what scripts may call).
 */
import { MeshError } from '../errors.js';
import { Callbacks, type Upgrade, type Verdict } from './callbacks.js';
import { type ConnectionState, Connections } from './connection-state.js';
import { CONTEXT_LUA, contextFunctions } from './context.js';
import { Environments } from './environment.js';
import { connectionLookups, connectionMethods } from './mix/connection.js';
import { library } from './mix/library.js';
import type { HostFunction, MixModule, ModuleHost } from './mix/module.js';
import { Timers } from './mix/timer.js';
import type { ScriptOptions, ScriptStats } from './options.js';
import { Reloader } from './reload.js';
import type { ScriptConnection, ScriptHost } from './roles.js';
import { Scheduler } from './scheduler.js';
import { bufferMethods, framingFunctions } from './socket.js';
import { requireFunctions } from './version.js';
import { Vm } from './vm.js';

/** How often counts are handed to the meter. */
const COUNT_MS = 1000;

/** Fits WebSocketScript and SocketScript of gateway/roles.ts. */
export interface Script {
  handshake(connection: ScriptConnection, request: Upgrade, done: (verdict: Verdict) => void): void;
  message(connection: ScriptConnection, data: Uint8Array, binary: boolean): void;
  connected(connection: ScriptConnection): void;
  received(connection: ScriptConnection, chunk: Uint8Array): void;
  encode(connection: ScriptConnection, data: Uint8Array): Uint8Array | null;
  closed(connection: ScriptConnection, error: string | null): void;
  /** Sets one value (as JSON.parse gives it) and wakes `conn:wait_context_value`. */
  setContextValue(connection: ScriptConnection, key: string, value: unknown): void;
  setContext(connection: ScriptConnection, values: Readonly<Record<string, unknown>>): void;
  /** Messages of a channel may have been missed (null: of all): `on_gap(channel)`, where the script defines it. */
  gap(channel: string | null): void;
  readonly loaded: boolean;
  /** Why no script is loaded; null when one is. */
  readonly problem: string | null;
  stats(): ScriptStats;
  close(): void;
}

/** Loads the entry file. Throws MeshError naming file and line when it is missing, does not parse or fails at its top level. */
export async function createScript(options: ScriptOptions, host: ScriptHost): Promise<Script> {
  const vm = await Vm.create(options, host.log);
  const scheduler = new Scheduler<ConnectionState>(vm, options.waitingCallbacks, (ms) =>
    host.meter.observe('lua_callback_seconds', ms / 1000),
  );
  const { stack, L } = vm;
  const current = () => scheduler.running?.owner ?? null;
  const moduleHost: ModuleHost = {
    stack,
    log: host.log,
    meter: host.meter,
    where: (L) => vm.where(L),
    wait: (L, start) => scheduler.wait(L, start),
    connection: () => current()?.connection ?? null,
  };

  const metatables = { connection: 0, buffer: 0 };
  const connections = new Connections(stack, L, metatables);
  const kept = makeMethods(vm, connections, moduleHost, host);
  metatables.connection = keepMetatable(vm, kept.methods, 'connection');
  metatables.buffer = keepMetatable(vm, kept.bufferMethods, 'buf');

  const timers = new Timers(
    stack,
    L,
    (ref) => callbacks.timer(ref),
    () => scheduler.running?.generation ?? scheduler.generation,
    () => scheduler.generation,
  );
  const modules: MixModule[] = [
    ...library(options, host, moduleHost.connection),
    connectionLookups(options.protocol, current, connections, host),
    timers.module,
  ].map((make) => make(moduleHost));

  const reloader: Reloader = new Reloader(
    options,
    host.log,
    {
      vm,
      scheduler: scheduler as Scheduler<unknown>,
      environments: new Environments(vm, modules),
      framing: framingFunctions(stack, connections, host),
      requiring: requireFunctions(vm, () => reloader.files),
    },
    timers,
  );
  const callbacks = new Callbacks({ vm, scheduler, connections, host, options, reloader });

  const problem = reloader.start();
  if (problem !== null) throw new MeshError('invalid_argument', `script ${options.entry} does not load: ${problem}`);
  return asScript({ vm, scheduler, connections, callbacks, reloader, timers, modules, kept, host });
}

interface Parts {
  readonly vm: Vm;
  readonly scheduler: Scheduler<ConnectionState>;
  readonly connections: Connections;
  readonly callbacks: Callbacks;
  readonly reloader: Reloader;
  readonly timers: Timers;
  readonly modules: readonly MixModule[];
  readonly kept: ReturnType<typeof makeMethods>;
  readonly host: ScriptHost;
}

function asScript({ vm, scheduler, connections, callbacks, reloader, timers, modules, kept, host }: Parts): Script {
  const counting = countRegularly(scheduler, host);
  let closed = false;

  return {
    handshake: (connection, request, done) => callbacks.handshake(connection, request, done),
    message: (connection, data, binary) => callbacks.message(connection, data, binary),
    connected: (connection) => callbacks.connected(connection),
    received: (connection, chunk) => callbacks.received(connection, chunk),
    encode: (connection, data) => callbacks.encode(connection, data),
    closed: (connection, error) => callbacks.closed(connection, error),
    setContextValue: (connection, key, value) => callbacks.context(connection, kept.setValue, key, value),
    setContext: (connection, values) => callbacks.context(connection, kept.setAll, null, values),
    gap: (channel) => callbacks.gap(channel),
    get loaded() {
      return !closed;
    },
    get problem() {
      return closed ? 'the scripts were closed' : null;
    },
    stats: () => ({
      ...scheduler.counts,
      connections: connections.size,
      timers: timers.size,
      reloads: reloader.reloads,
      memoryBytes: vm.memoryBytes,
      reservedBytes: vm.stack.lua.memory.buffer.byteLength,
    }),
    close() {
      if (closed) return;
      closed = true;
      clearInterval(counting);
      reloader.close();
      timers.close();
      scheduler.close();
      connections.wakeAll();
      for (const module of modules) module.close?.();
    },
  };
}

/** The methods of connections and of `buf`, and the functions that set a context; all in the registry. */
function makeMethods(vm: Vm, connections: Connections, moduleHost: ModuleHost, host: ScriptHost) {
  const { L, stack } = vm;
  const pushTable = (functions: Readonly<Record<string, HostFunction>>): void => {
    stack.createTable(L, 0, 16);
    for (const [name, fn] of Object.entries(functions)) {
      vm.pushFunction(L, fn);
      stack.setField(L, name);
    }
  };
  const problem = vm.compile(L, Buffer.from(CONTEXT_LUA), '=context');
  if (problem !== null) throw new Error(problem);
  vm.strip(L);
  pushTable(contextFunctions(moduleHost, connections));
  pushTable(connectionMethods(moduleHost, connections, host));
  stack.pushValue(L, -1);
  const methods = stack.keep(L);
  vm.call(L, 2, 2);
  const setAll = stack.keep(L);
  const setValue = stack.keep(L);
  pushTable(bufferMethods(stack, connections));
  return { methods, setAll, setValue, bufferMethods: stack.keep(L) };
}

/** Scripts see its methods and nothing else. */
function keepMetatable({ L, stack }: Vm, methods: number, name: string): number {
  stack.createTable(L, 0, 3);
  stack.pushKept(L, methods);
  stack.setField(L, '__index');
  stack.pushBoolean(L, 0);
  stack.setField(L, '__metatable');
  stack.pushText(L, name);
  stack.setField(L, '__name');
  return stack.keep(L);
}

/** Counts of callbacks go to the meter in steps: one call for each message would cost more than the count. */
function countRegularly(scheduler: Scheduler<ConnectionState>, host: ScriptHost): NodeJS.Timeout {
  const told = new Map<string, number>();
  const timer = setInterval(() => {
    for (const [name, count] of Object.entries(scheduler.started)) {
      const more = count - (told.get(name) ?? 0);
      if (more > 0) host.meter.count('lua_callbacks_total', more, name);
      told.set(name, count);
    }
  }, COUNT_MS);
  return timer.unref();
}
