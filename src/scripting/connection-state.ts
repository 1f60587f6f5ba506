/** What scripting keeps for one connection: its Lua object, what waits for its turn, and who waits for its context. */
import type { Framing } from './framing.js';
import type { ScriptConnection } from './roles.js';
import { REGISTRY, ScriptError, type Stack } from './stack.js';

/** Something that happened while a callback of the same connection was under way. */
export type Pending =
  | { readonly kind: 'message'; readonly payload: Buffer; readonly binary: boolean }
  /** There is something in `framing`. */
  | { readonly kind: 'bytes' }
  | { readonly kind: 'closed'; readonly error: string | null };

export class ConnectionState {
  /** A callback of this connection runs or waits. */
  busy = false;
  /** `next` of turns.ts is at work. */
  draining = false;
  paused = false;
  closed = false;
  queue: Pending[] | null = null;
  queuedBytes = 0;
  /** Context key → those that wait for it. Called with false when the connection closes. */
  waiters: Map<string, Set<(set: boolean) => void>> | null = null;
  /** Socket servers: the bytes received so far. */
  framing: Framing | null = null;
  /** protocol_input has begun and not yet given a packet. */
  inInput = false;
  /** Why scripting closed it, where the script did not ask for it. */
  refusal: string | null = null;
  /** Of its Lua object in the registry, as lua_rawgeti takes it; 0 until a script asks for it. */
  ref = 0n;
  /** The same of its `buf`. */
  bufferRef = 0n;

  constructor(
    readonly connection: ScriptConnection,
    /** By which its Lua object names it. */
    readonly handle: number,
  ) {}

  /** Closes a client for what it sent; on_close is told why. */
  refuse(code: number, why: string): void {
    this.refusal = why;
    this.connection.close(code, why);
  }

  /** Ends the waits for a context key. */
  wake(key: string): void {
    const waiting = this.waiters?.get(key);
    if (waiting === undefined) return;
    this.waiters?.delete(key);
    for (const end of waiting) end(true);
  }

  wakeAll(): void {
    const waiters = this.waiters;
    this.waiters = null;
    for (const waiting of waiters?.values() ?? []) for (const end of waiting) end(false);
  }
}

/** Tells our userdata from any other: "lm" and the kind. */
const CONNECTION_MARK = 0x6c6d01;
const BUFFER_MARK = 0x6c6d02;
const USERDATA_BYTES = 8;
/** mix.null, mix.empty_array and the like are light userdata with numbers up to here in the place of a pointer. */
const LARGEST_CONSTANT = 1023;
/** Values kept in the userdata, so that an object outlives its connection: id, address, context. */
const [ID_VALUE, ADDRESS_VALUE] = [1, 2];
const VALUES = 3;

/** All connections of one script, and their Lua objects: userdata that scripts cannot make or change. */
export class Connections {
  private readonly states = new Map<number, ConnectionState>();
  private last = 0;

  constructor(
    private readonly stack: Stack,
    private readonly L: number,
    /** Registry references of the metatables. */
    private readonly metatables: { connection: number; buffer: number },
  ) {}

  has(state: ConnectionState): boolean {
    return this.states.get(state.handle) === state;
  }

  get size(): number {
    return this.states.size;
  }

  add(connection: ScriptConnection): ConnectionState {
    do this.last = (this.last + 1) & 0x7fffffff;
    while (this.states.has(this.last));
    const state = new ConnectionState(connection, this.last);
    this.states.set(state.handle, state);
    connection.script = state;
    return state;
  }

  /** After its last callback. */
  drop(state: ConnectionState): void {
    this.states.delete(state.handle);
    if (state.ref !== 0n) this.stack.release(this.L, Number(state.ref));
    if (state.bufferRef !== 0n) this.stack.release(this.L, Number(state.bufferRef));
    state.ref = 0n;
    state.bufferRef = 0n;
  }

  wakeAll(): void {
    for (const state of this.states.values()) state.wakeAll();
  }

  push(L: number, state: ConnectionState): void {
    const { stack } = this;
    const { lua } = stack;
    if (state.ref !== 0n) {
      lua.lua_rawgeti(L, REGISTRY, state.ref);
      return;
    }
    const own = lua.lua_newuserdatauv(L, USERDATA_BYTES, VALUES);
    stack.setInt32At(own, CONNECTION_MARK);
    stack.setInt32At(own + 4, state.handle);
    stack.pushText(L, state.connection.id);
    lua.lua_setiuservalue(L, -2, ID_VALUE);
    stack.pushText(L, state.connection.remoteAddress);
    lua.lua_setiuservalue(L, -2, ADDRESS_VALUE);
    stack.pushKept(L, this.metatables.connection);
    lua.lua_setmetatable(L, -2);
    stack.pushValue(L, -1);
    state.ref = BigInt(stack.keep(L));
  }

  /** Pushes the connection's `buf`. */
  pushBuffer(L: number, state: ConnectionState): void {
    const { stack } = this;
    if (state.bufferRef !== 0n) {
      stack.lua.lua_rawgeti(L, REGISTRY, state.bufferRef);
      return;
    }
    const own = stack.lua.lua_newuserdatauv(L, USERDATA_BYTES, 0);
    stack.setInt32At(own, BUFFER_MARK);
    stack.setInt32At(own + 4, state.handle);
    stack.pushKept(L, this.metatables.buffer);
    stack.lua.lua_setmetatable(L, -2);
    stack.pushValue(L, -1);
    state.bufferRef = BigInt(stack.keep(L));
  }

  /** The connection whose `buf` is the first argument; undefined when it is gone. */
  bufferAt(L: number): ConnectionState | undefined {
    return this.states.get(this.handleAt(L, BUFFER_MARK, 'buf:method(…)'));
  }

  /** The connection whose object is the first argument; undefined when it is gone. Raises when it is no such object. */
  at(L: number): ConnectionState | undefined {
    return this.states.get(this.handleAt(L, CONNECTION_MARK, 'conn:method(…)'));
  }

  /** Pushes the client id or address of the object that is the first argument. */
  pushId(L: number): void {
    this.handleAt(L, CONNECTION_MARK, 'conn:method(…)');
    this.stack.lua.lua_getiuservalue(L, 1, ID_VALUE);
  }
  pushAddress(L: number): void {
    this.handleAt(L, CONNECTION_MARK, 'conn:method(…)');
    this.stack.lua.lua_getiuservalue(L, 1, ADDRESS_VALUE);
  }

  private handleAt(L: number, mark: number, usage: string): number {
    const { stack } = this;
    // A light userdata is one of our constants and points to no memory of Lua's.
    const own = stack.lua.lua_touserdata(L, 1);
    if (own > LARGEST_CONSTANT && stack.int32At(own) === mark) return stack.int32At(own + 4);
    throw new ScriptError(`call it with a colon: ${usage}`);
  }
}
