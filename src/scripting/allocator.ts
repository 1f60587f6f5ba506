/**
 * Lua's allocator with a limit, as WebAssembly of its own: called for every block Lua takes or gives back, so it must not go
 * through JavaScript, except for large blocks. In words:
 *
 *   allocate(own, pointer, old, new):
 *     if pointer == 0: old = 0                                 Lua passes the kind of object there
 *     if new == 0: used -= old; if old >= LARGE: large(old, 0); free(pointer); return 0
 *     if (old | new) >= LARGE: if large(old, new) == 0: return 0
 *     if new > old and used + (new - old) > limit: return 0
 *     pointer = realloc(pointer, new); if pointer == 0: return 0
 *     used += new - old; return pointer
 */
import { compile, type WasmModule } from './webassembly.js';

/** A block from this size on is announced to JavaScript, which looks at the clock: copying it takes longer than the look. */
export const LARGE_BLOCK_BYTES = 65536;

const I32 = 0x7f;
const VOID = 0x40;
// Local 0 is what lua_newstate was given for the allocator; it is not used.
const [POINTER, OLD, NEW] = [1, 2, 3];
const [REALLOC, FREE, LARGE, ALLOCATE] = [0, 1, 2, 3];
const [USED, LIMIT] = [0, 1];

const get = (local: number) => [0x20, local];
const set = (local: number) => [0x21, local];
const load = (global: number) => [0x23, global];
const store = (global: number) => [0x24, global];
const call = (fn: number) => [0x10, fn];
const constant = (value: number) => [0x41, ...signed(value)];
const when = (...body: number[][]) => [0x04, VOID, ...body.flat(), 0x0b];
const RETURN = [0x0f];
const IS_ZERO = [0x45];
const [ADD, SUB, OR] = [[0x6a], [0x6b], [0x72]];
/** Unsigned comparisons. */
const [MORE, AT_LEAST] = [[0x4b], [0x4f]];
const isLarge = [...constant(LARGE_BLOCK_BYTES), ...AT_LEAST];

const body = [
  ...get(POINTER),
  ...IS_ZERO,
  ...when(constant(0), set(OLD)),
  ...get(NEW),
  ...IS_ZERO,
  ...when(
    load(USED),
    get(OLD),
    SUB,
    store(USED),
    get(OLD),
    isLarge,
    when(get(OLD), constant(0), call(LARGE), [0x1a]),
    get(POINTER),
    call(FREE),
    constant(0),
    RETURN,
  ),
  ...get(OLD),
  ...get(NEW),
  ...OR,
  ...isLarge,
  ...when(get(OLD), get(NEW), call(LARGE), IS_ZERO, when(constant(0), RETURN)),
  ...get(NEW),
  ...get(OLD),
  ...MORE,
  ...when(load(USED), get(NEW), ADD, get(OLD), SUB, load(LIMIT), MORE, when(constant(0), RETURN)),
  ...get(POINTER),
  ...get(NEW),
  ...call(REALLOC),
  ...set(POINTER),
  ...get(POINTER),
  ...IS_ZERO,
  ...when(constant(0), RETURN),
  ...load(USED),
  ...get(NEW),
  ...ADD,
  ...get(OLD),
  ...SUB,
  ...store(USED),
  ...get(POINTER),
  0x0b,
];

let compiled: Promise<WasmModule> | undefined;

/** Imports `lua.realloc`, `lua.free`, `lua.large`; exports `allocate` and the mutable globals `used` and `limit`. */
export function allocatorModule(): Promise<WasmModule> {
  compiled ??= compile(
    Uint8Array.from([
      ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
      ...section(
        1,
        vector([
          [0x60, 2, I32, I32, 1, I32],
          [0x60, 1, I32, 0],
          [0x60, 4, I32, I32, I32, I32, 1, I32],
        ]),
      ),
      ...section(
        2,
        vector(
          [
            ['realloc', 0],
            ['free', 1],
            ['large', 0],
          ].map(([is, type]) => [...name('lua'), ...name(String(is)), 0, Number(type)]),
        ),
      ),
      ...section(3, vector([[2]])),
      ...section(6, vector([USED, LIMIT].map(() => [I32, 1, ...constant(0), 0x0b]))),
      ...section(
        7,
        vector([
          [...name('allocate'), 0, ALLOCATE],
          [...name('used'), 3, USED],
          [...name('limit'), 3, LIMIT],
        ]),
      ),
      ...section(10, vector([sized([0, ...body])])),
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
