/**
 * Values between JavaScript and the Lua stack, over the raw exports. `L` is a lua_State (a coroutine) as a pointer, `at` a
 * stack index. Rules of the house:
 * - the VM's memory moves when it grows: ask `heap()` again after any call that may allocate (all that push or run Lua);
 * - Lua strings are bytes; `text` is for what is UTF-8 by contract;
 * - Lua's 64-bit integers are BigInt here;
 * - what throws ScriptError becomes a Lua error at the calling line of the script (see module.ts).
 */
import { isUtf8 } from 'node:buffer';
import type { LuaExports } from './wasm.js';

export const LUA_TYPE = {
  none: -1,
  nil: 0,
  boolean: 1,
  lightUserdata: 2,
  number: 3,
  string: 4,
  table: 5,
  function: 6,
  userdata: 7,
  thread: 8,
} as const;

export const REGISTRY = -1001000;

/** Scratch space stays allocated up to this size. */
const KEPT_SCRATCH_BYTES = 65536;
/** Texts up to so many characters are written and read by a loop, which is faster than a call into Node for them. */
const SHORT = 24;

/** Thrown by a host function to raise a Lua error. Deliberately no Error: no JavaScript stack is taken. */
export class ScriptError {
  constructor(readonly text: string) {}
}

export class Stack {
  readonly getTop: LuaExports['lua_gettop'];
  readonly setTop: LuaExports['lua_settop'];
  readonly checkStack: LuaExports['lua_checkstack'];
  readonly pushValue: LuaExports['lua_pushvalue'];
  readonly pushNil: LuaExports['lua_pushnil'];
  /** 0 or 1 */
  readonly pushBoolean: LuaExports['lua_pushboolean'];
  readonly pushInteger: LuaExports['lua_pushinteger'];
  /** A float; whole ones print as `1.0`. For counts and sizes use pushCount. */
  readonly pushNumber: LuaExports['lua_pushnumber'];
  /** Bytes that lie in the VM's memory already. */
  readonly pushLString: LuaExports['lua_pushlstring'];
  readonly createTable: LuaExports['lua_createtable'];
  readonly rawSet: LuaExports['lua_rawset'];
  readonly rawSetI: LuaExports['lua_rawseti'];
  readonly rawGet: LuaExports['lua_rawget'];
  readonly rawGetI: LuaExports['lua_rawgeti'];
  readonly type: LuaExports['lua_type'];
  readonly isInteger: LuaExports['lua_isinteger'];
  readonly toBoolean: LuaExports['lua_toboolean'];
  readonly toPointer: LuaExports['lua_topointer'];
  /** Replaces the key at the top by the next key and value; 0 at the end. Do not call text functions on a key that is a number. */
  readonly next: LuaExports['lua_next'];

  private memory = Buffer.alloc(0);
  private view = new DataView(new ArrayBuffer(0));
  /** Where Lua writes lengths and flags for us. */
  private readonly out: number;
  private scratch: number;
  private scratchBytes = KEPT_SCRATCH_BYTES;
  private emptyArrayMetatable = 0;

  constructor(readonly lua: LuaExports) {
    this.getTop = lua.lua_gettop;
    this.setTop = lua.lua_settop;
    this.checkStack = lua.lua_checkstack;
    this.pushValue = lua.lua_pushvalue;
    this.pushNil = lua.lua_pushnil;
    this.pushBoolean = lua.lua_pushboolean;
    this.pushInteger = lua.lua_pushinteger;
    this.pushNumber = lua.lua_pushnumber;
    this.pushLString = lua.lua_pushlstring;
    this.createTable = lua.lua_createtable;
    this.rawSet = lua.lua_rawset;
    this.rawSetI = lua.lua_rawseti;
    this.rawGet = lua.lua_rawget;
    this.rawGetI = lua.lua_rawgeti;
    this.type = lua.lua_type;
    this.isInteger = lua.lua_isinteger;
    this.toBoolean = lua.lua_toboolean;
    this.toPointer = lua.lua_topointer;
    this.next = lua.lua_next;
    this.out = lua.malloc(16);
    this.scratch = lua.malloc(KEPT_SCRATCH_BYTES);
  }

  /** The VM's memory now. Lent: good until the next call that may allocate. */
  heap(): Buffer {
    if (this.memory.length === 0) {
      const { buffer } = this.lua.memory;
      this.memory = Buffer.from(buffer);
      this.view = new DataView(buffer);
    }
    return this.memory;
  }

  int32At(pointer: number): number {
    this.heap();
    return this.view.getInt32(pointer, true);
  }
  setInt32At(pointer: number, value: number): void {
    this.heap();
    this.view.setInt32(pointer, value, true);
  }

  // ── reading ──

  /** Pointer to the bytes of a string (a number is turned into one in place); 0 for any other type. See lastLength. */
  toLString(L: number, at: number): number {
    return this.lua.lua_tolstring(L, at, this.out);
  }
  /** Length of the string that toLString or a check function looked at last. */
  lastLength(): number {
    return this.int32At(this.out) >>> 0;
  }

  /** Bytes of the VM's memory, lent as heap() is. Not of Node's kind, which takes three times as long to make. */
  lend(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.heap().buffer, pointer, length);
  }
  /** The bytes of a string argument, lent as heap() is; raises "bad argument" when it is none. */
  checkView(L: number, at: number): Uint8Array {
    const pointer = this.lua.luaL_checklstring(L, at, this.out);
    return this.lend(pointer, this.lastLength());
  }
  /** The same as a Buffer. */
  checkBytes(L: number, at: number): Buffer {
    const pointer = this.lua.luaL_checklstring(L, at, this.out);
    return this.heap().subarray(pointer, pointer + this.lastLength());
  }
  /** The bytes of a string argument, as the caller's own copy. */
  copyBytes(L: number, at: number): Buffer {
    return Buffer.from(this.checkBytes(L, at));
  }
  /** A string argument as text; bytes that are not UTF-8 become U+FFFD. */
  checkText(L: number, at: number): string {
    const pointer = this.lua.luaL_checklstring(L, at, this.out);
    return this.decode(pointer, this.lastLength());
  }
  /** A string argument as text; raises when it is not UTF-8. */
  checkUtf8(L: number, at: number): string {
    if (!isUtf8(this.checkBytes(L, at))) throw new ScriptError(`bad argument #${at} (not valid UTF-8)`);
    return this.checkText(L, at);
  }
  /** An optional string argument; undefined when it is nil or left out. */
  optText(L: number, at: number): string | undefined {
    return this.lua.lua_type(L, at) <= LUA_TYPE.nil ? undefined : this.checkText(L, at);
  }
  checkInteger(L: number, at: number): bigint {
    return this.lua.luaL_checkinteger(L, at);
  }
  checkNumber(L: number, at: number): number {
    return this.lua.luaL_checknumber(L, at);
  }
  optNumber(L: number, at: number): number | undefined {
    return this.lua.lua_type(L, at) <= LUA_TYPE.nil ? undefined : this.lua.luaL_checknumber(L, at);
  }
  checkTable(L: number, at: number): void {
    this.lua.luaL_checktype(L, at, LUA_TYPE.table);
  }
  rawLength(L: number, at: number): number {
    return Number(this.lua.lua_rawlen(L, at));
  }
  toInteger(L: number, at: number): bigint {
    return this.lua.lua_tointegerx(L, at, 0);
  }
  toNumber(L: number, at: number): number {
    return this.lua.lua_tonumberx(L, at, 0);
  }
  isNil(L: number, at: number): boolean {
    return this.lua.lua_type(L, at) <= LUA_TYPE.nil;
  }
  /** "nil", "string" … of a type number, as Lua's type() names it. */
  typeName(_L: number, type: number): string {
    return TYPE_NAMES[type + 1] ?? 'no value';
  }
  /** Text for people of any value, as tostring() gives it. */
  describe(L: number, at: number): string {
    const pointer = this.lua.luaL_tolstring(L, at, this.out);
    const text = this.decode(pointer, this.lastLength());
    this.lua.lua_settop(L, -2);
    return text;
  }
  decode(pointer: number, length: number): string {
    const heap = this.heap();
    if (length > SHORT) return heap.toString('utf8', pointer, pointer + length);
    let text = '';
    for (let i = pointer; i < pointer + length; i++) {
      const byte = heap[i];
      if (byte > 127) return heap.toString('utf8', pointer, pointer + length);
      text += String.fromCharCode(byte);
    }
    return text;
  }

  // ── pushing ──

  /** Pushes `length` bytes as a string. */
  pushBytes(L: number, bytes: Uint8Array, length: number = bytes.length): void {
    const pointer = this.room(length);
    this.heap().set(length === bytes.length ? bytes : bytes.subarray(0, length), pointer);
    this.lua.lua_pushlstring(L, pointer, length);
    this.tidy();
  }
  /** Pushes text as UTF-8. */
  pushText(L: number, text: string): void {
    const pointer = this.room(text.length * 3);
    const length = this.write(text, pointer);
    this.lua.lua_pushlstring(L, pointer, length);
    this.tidy();
  }
  /** Pushes text, or nil for null: how functions of Lua tell a problem, or that there is none. Returns 1, the number of results. */
  pushTextOrNil(L: number, text: string | null): 1 {
    if (text === null) this.pushNil(L);
    else this.pushText(L, text);
    return 1;
  }
  /** Pushes a whole JavaScript number as a Lua integer. */
  pushCount(L: number, count: number): void {
    this.lua.lua_pushinteger(L, BigInt(count));
  }
  /** mix.null: JSON's null inside of tables. */
  pushNull(L: number): void {
    this.lua.lua_pushlightuserdata(L, 0);
  }
  isNull(L: number, at: number): boolean {
    return this.lua.lua_type(L, at) === LUA_TYPE.lightUserdata && this.lua.lua_touserdata(L, at) === 0;
  }
  /** mix.empty_array: the constant. */
  pushEmptyArrayConstant(L: number): void {
    this.lua.lua_pushlightuserdata(L, 1);
  }
  /** A new table that encodes as `[]` while it is empty. */
  pushEmptyArray(L: number): void {
    this.lua.lua_createtable(L, 0, 0);
    if (this.emptyArrayMetatable === 0) {
      this.lua.lua_createtable(L, 0, 0);
      this.emptyArrayMetatable = this.lua.luaL_ref(L, REGISTRY);
    }
    this.lua.lua_rawgeti(L, REGISTRY, BigInt(this.emptyArrayMetatable));
    this.lua.lua_setmetatable(L, -2);
  }
  /** Whether the value stands for `[]`: the constant, or a table made by pushEmptyArray. */
  isEmptyArray(L: number, at: number): boolean {
    if (this.lua.lua_type(L, at) === LUA_TYPE.lightUserdata) return this.lua.lua_touserdata(L, at) === 1;
    if (this.emptyArrayMetatable === 0 || this.lua.lua_getmetatable(L, at) === 0) return false;
    this.lua.lua_rawgeti(L, REGISTRY, BigInt(this.emptyArrayMetatable));
    const same = this.lua.lua_rawequal(L, -1, -2) === 1;
    this.lua.lua_settop(L, -3);
    return same;
  }
  /** nil and an error text, as most functions of the library fail. Returns the number of results. */
  pushFailure(L: number, text: string): 2 {
    this.lua.lua_pushnil(L);
    this.pushText(L, text);
    return 2;
  }

  /** Sets a text key of the table at the top to the value above it: `push table, push value, setField`. */
  setField(L: number, key: string): void {
    this.pushText(L, key);
    this.lua.lua_rotate(L, -2, 1);
    this.lua.lua_rawset(L, -3);
  }
  /** Pushes the value of a text key of the table at `at` (without metamethods); returns its type. */
  getField(L: number, at: number, key: string): number {
    const table = at < 0 && at > REGISTRY ? at - 1 : at;
    this.pushText(L, key);
    return this.lua.lua_rawget(L, table);
  }

  /** Keeps the value at the top in the registry and pops it; `release` lets it go. */
  keep(L: number): number {
    return this.lua.luaL_ref(L, REGISTRY);
  }
  pushKept(L: number, ref: number): void {
    this.lua.lua_rawgeti(L, REGISTRY, BigInt(ref));
  }
  release(L: number, ref: number): void {
    this.lua.luaL_unref(L, REGISTRY, ref);
  }

  /** A zero-ended copy of a short text in scratch space: good until the next push. */
  cString(text: string): number {
    const pointer = this.room(text.length * 3 + 1);
    this.heap()[pointer + this.write(text, pointer)] = 0;
    return pointer;
  }

  private write(text: string, pointer: number): number {
    const heap = this.heap();
    if (text.length > SHORT) return heap.write(text, pointer, 'utf8');
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 127) return heap.write(text, pointer, 'utf8');
      heap[pointer + i] = unit;
    }
    return text.length;
  }

  /** Scratch space for `bytes` bytes. */
  private room(bytes: number): number {
    if (bytes > this.scratchBytes) {
      this.lua.free(this.scratch);
      this.scratch = this.lua.malloc(bytes);
      this.scratchBytes = bytes;
      if (this.scratch === 0) {
        this.shrink();
        throw new ScriptError('not enough memory');
      }
    }
    return this.scratch;
  }
  private tidy(): void {
    if (this.scratchBytes > KEPT_SCRATCH_BYTES) this.shrink();
  }
  private shrink(): void {
    if (this.scratch !== 0) this.lua.free(this.scratch);
    this.scratch = this.lua.malloc(KEPT_SCRATCH_BYTES);
    this.scratchBytes = KEPT_SCRATCH_BYTES;
  }
}

const TYPE_NAMES = [
  'no value',
  'nil',
  'boolean',
  'userdata',
  'number',
  'string',
  'table',
  'function',
  'userdata',
  'thread',
];
