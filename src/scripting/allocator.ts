/**
 * Lua's allocator with a limit, as WebAssembly of its own: called for every block Lua takes or gives back, so it must not go
 * through JavaScript, except for large blocks. Small blocks that are given back are kept in lists, one for each 16 bytes of
 * size, because every callback takes and gives back the same few sizes: a tenth of a small callback. In words:
 *
 *   allocate(own, pointer, old, new):
 *     if pointer == 0: if new == 0: return 0; old = 0          Lua passes the kind of object there
 *     if new == 0:
 *       used -= old; if old >= LARGE: large(old, 0)
 *       if old <= SMALL and kept < KEPT: kept += rounded(old); put pointer into the list of old; return 0
 *       free(pointer); return 0
 *     if (old | new) >= LARGE: large(old, new)
 *     if new > old and used + (new - old) > limit: refused(); return 0
 *     if pointer == 0 and new <= SMALL and the list of new has one: kept -= rounded(new); used += new; return it
 *     pointer = realloc(pointer, new <= SMALL ? rounded(new) : new)
 *     if pointer == 0: refused(); return 0
 *     used += new - old; return pointer
 */
import { compile, type WasmModule } from './webassembly.js';

/** A block from this size on is announced to JavaScript, which looks at the clock: copying it takes longer than the look. */
export const LARGE_BLOCK_BYTES = 65536;

/** The largest block that is kept in a list, and how many bytes all lists may hold. */
const SMALL_BYTES = 256;
const KEPT_BYTES = 512 * 1024;
const STEP_BYTES = 16;
/** Room for the first block of each list: what `lists` must point to, zeroed. */
export const LISTS_BYTES = (SMALL_BYTES / STEP_BYTES + 1) * 4;

const I32 = 0x7f;
const VOID = 0x40;
// Local 0 is what lua_newstate was given for the allocator; it is not used.
const [POINTER, OLD, NEW, LIST] = [1, 2, 3, 4];
const [REALLOC, FREE, LARGE, REFUSED, ALLOCATE] = [0, 1, 2, 3, 4];
const [USED, LIMIT, LISTS, KEPT] = [0, 1, 2, 3];

const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const tee = (local: number) => [0x22, local];
const read = (global: number) => [0x23, global];
const write = (global: number) => [0x24, global];
const call = (fn: number) => [0x10, fn];
const constant = (value: number) => [0x41, ...signed(value)];
const when = (...body: number[][]) => [0x04, VOID, ...body.flat(), 0x0b];
const RETURN = [0x0f];
const IS_ZERO = [0x45];
const [ADD, SUB, AND, OR, SHIFT_RIGHT] = [[0x6a], [0x6b], [0x71], [0x72], [0x76]];
/** Unsigned comparisons. */
const [LESS, MORE, AT_MOST, AT_LEAST] = [[0x49], [0x4b], [0x4d], [0x4f]];
/** Of 4 bytes, aligned, at the pointer on the stack. */
const LOAD = [0x28, 2, 0];
const STORE = [0x36, 2, 0];

const isLarge = [...constant(LARGE_BLOCK_BYTES), ...AT_LEAST];
const isSmall = [...constant(SMALL_BYTES), ...AT_MOST];
const rounded = (size: number) => [...get(size), ...constant(STEP_BYTES - 1), ...ADD, ...constant(-STEP_BYTES), ...AND];
/** Where the list for blocks of a size begins: 4 bytes for each 16 of size. */
const listOf = (size: number) => [...read(LISTS), ...rounded(size), ...constant(2), ...SHIFT_RIGHT, ...ADD];

/** A block's first 4 bytes point to the next one of its list. */
const keep = [
  listOf(OLD),
  set(LIST),
  get(POINTER),
  get(LIST),
  LOAD,
  STORE,
  get(LIST),
  get(POINTER),
  STORE,
  read(KEPT),
  rounded(OLD),
  ADD,
  write(KEPT),
  constant(0),
  RETURN,
];
const takeKept = [
  listOf(NEW),
  tee(LIST),
  LOAD,
  tee(POINTER),
  when(
    get(LIST),
    get(POINTER),
    LOAD,
    STORE,
    read(KEPT),
    rounded(NEW),
    SUB,
    write(KEPT),
    read(USED),
    get(NEW),
    ADD,
    write(USED),
    get(POINTER),
    RETURN,
  ),
];

const body = [
  ...get(POINTER),
  ...IS_ZERO,
  ...when(get(NEW), IS_ZERO, when(constant(0), RETURN), constant(0), set(OLD)),
  ...get(NEW),
  ...IS_ZERO,
  ...when(
    read(USED),
    get(OLD),
    SUB,
    write(USED),
    get(OLD),
    isLarge,
    when(get(OLD), constant(0), call(LARGE)),
    get(OLD),
    isSmall,
    read(KEPT),
    constant(KEPT_BYTES),
    LESS,
    AND,
    when(...keep),
    get(POINTER),
    call(FREE),
    constant(0),
    RETURN,
  ),
  ...get(OLD),
  ...get(NEW),
  ...OR,
  ...isLarge,
  ...when(get(OLD), get(NEW), call(LARGE)),
  ...get(NEW),
  ...get(OLD),
  ...MORE,
  ...when(read(USED), get(NEW), ADD, get(OLD), SUB, read(LIMIT), MORE, when(call(REFUSED), constant(0), RETURN)),
  ...get(NEW),
  ...isSmall,
  ...when(get(POINTER), IS_ZERO, when(...takeKept), get(POINTER), rounded(NEW), call(REALLOC), set(POINTER)),
  ...get(NEW),
  ...constant(SMALL_BYTES),
  ...MORE,
  ...when(get(POINTER), get(NEW), call(REALLOC), set(POINTER)),
  ...get(POINTER),
  ...IS_ZERO,
  ...when(call(REFUSED), constant(0), RETURN),
  ...read(USED),
  ...get(NEW),
  ...ADD,
  ...get(OLD),
  ...SUB,
  ...write(USED),
  ...get(POINTER),
  0x0b,
];

let compiled: Promise<WasmModule> | undefined;

/**
 * Imports `lua.memory`, `lua.realloc`, `lua.free`, `lua.large`, `lua.refused`; exports `allocate` and the mutable globals `used`, `limit` and
 * `lists` (a pointer to LISTS_BYTES zeros, to be set before the first call).
 */
export function allocatorModule(): Promise<WasmModule> {
  compiled ??= compile(
    Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(
        1,
        vector([
          [0x60, 2, I32, I32, 1, I32],
          [0x60, 1, I32, 0],
          [0x60, 2, I32, I32, 0],
          [0x60, 0, 0],
          [0x60, 4, I32, I32, I32, I32, 1, I32],
        ]),
      ),
      ...section(
        2,
        vector(
          [
            ['realloc', 0, 0],
            ['free', 0, 1],
            ['large', 0, 2],
            ['refused', 0, 3],
            ['memory', 2, 0, 1],
          ].map(([is, ...type]) => [...name('lua'), ...name(String(is)), ...type.map(Number)]),
        ),
      ),
      ...section(3, vector([[4]])),
      ...section(6, vector([USED, LIMIT, LISTS, KEPT].map(() => [I32, 1, ...constant(0), 0x0b]))),
      ...section(
        7,
        vector([
          [...name('allocate'), 0, ALLOCATE],
          [...name('used'), 3, USED],
          [...name('limit'), 3, LIMIT],
          [...name('lists'), 3, LISTS],
        ]),
      ),
      ...section(10, vector([sized([1, 1, I32, ...body])])),
    ]),
  );
  return compiled;
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...sized(content)];
}
function sized(content: readonly number[]): number[] {
  return [...unsigned(content.length), ...content];
}
function vector(items: readonly (readonly number[])[]): number[] {
  return [...unsigned(items.length), ...items.flat()];
}
function name(text: string): number[] {
  return sized([...Buffer.from(text)]);
}

/** LEB128. */
function unsigned(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...unsigned(value >>> 7)];
}
function signed(value: number): number[] {
  return value >= -64 && value < 64 ? [value & 127] : [(value & 127) | 128, ...signed(value >> 7)];
}
