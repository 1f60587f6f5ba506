/**
 * Lua values to JSON text: walks the value on the Lua stack and writes bytes into one growing buffer. What JSON cannot hold is
 * refused with the path to it, never replaced.
 */
import type { Stack } from '../stack.js';
import { MAX_JSON_DEPTH, utf8Size } from './json-decode.js';

/** Most bytes of one text: a few shared tables can stand for more JSON than there is memory. */
export const MAX_JSON_BYTES = 16 * 1024 * 1024;

/** Thrown inside, caught in `encode`. */
class Impossible {
  constructor(
    readonly text: string,
    /** Stack index of the value. */
    readonly at: number,
  ) {}
}

export class JsonEncoder {
  /** The text, valid until the next encode. */
  out = Buffer.allocUnsafe(4096);
  length = 0;
  private undone = 0;
  private L = 0;
  private heap: Uint8Array;

  constructor(private readonly lua: Stack) {
    this.heap = lua.heap();
  }

  /** Writes the value at the top of the stack into `out`; returns a problem in words, or null. Leaves the stack as it was. */
  encode(L: number): string | null {
    this.L = L;
    this.length = 0;
    this.undone = 0;
    this.heap = this.lua.heap();
    if (this.out.length > KEPT_BYTES) this.out = Buffer.allocUnsafe(4096);
    const top = this.lua.getTop(L);
    try {
      this.value(top, 0);
      return null;
    } catch (error) {
      if (!(error instanceof Impossible)) throw error;
      const text = `cannot encode ${this.path(top, error.at)}${error.text}`;
      this.lua.setTop(L, top);
      return text;
    }
  }

  /** The value at stack index `at`, which is the top. */
  private value(at: number, depth: number): void {
    const { lua } = this;
    const L = this.L;
    const type = lua.type(L, at);
    if (type === TYPE_STRING) return this.string(at);
    if (type === TYPE_NUMBER) return this.number(at);
    if (type === TYPE_TABLE) return this.table(at, depth + 1);
    if (type === TYPE_NIL) return this.word('null');
    if (type === TYPE_BOOLEAN) return this.word(lua.toBoolean(L, at) === 1 ? 'true' : 'false');
    if (type === TYPE_LIGHT_USERDATA && lua.isNull(L, at)) return this.word('null');
    if (type === TYPE_LIGHT_USERDATA && lua.isEmptyArray(L, at)) return this.word('[]');
    throw new Impossible(`a ${lua.typeName(L, type)}`, at);
  }

  /** A table whose keys are 1 to n is an array, one whose keys are strings an object. Key at `at + 1`, value at `at + 2`. */
  private table(at: number, depth: number): void {
    const { lua, L } = this;
    if (depth > MAX_JSON_DEPTH) throw new Impossible(this.whyDeep(at), at);
    if (lua.checkStack(L, 4) === 0) throw new Impossible('a table: no Lua stack left', at);
    this.heap = lua.heap();
    lua.pushNil(L);
    if (lua.next(L, at) === 0) return this.word(lua.isEmptyArray(L, at) ? '[]' : '{}');
    if (lua.type(L, at + 1) === TYPE_STRING) return this.object(at, depth);
    const start = this.length;
    if (this.orderedArray(at, depth)) return;
    this.undo(start, at);
    this.scatteredArray(at, depth);
  }

  /** Goes back to a shorter text. What is undone counts, or arrays within arrays could make us write for ever. */
  private undo(length: number, at: number): void {
    this.undone += this.length - length;
    if (this.undone > MAX_JSON_BYTES) throw new Impossible('a value with too many arrays filled out of order', at);
    this.length = length;
  }

  private object(at: number, depth: number): void {
    const { lua, L } = this;
    this.byte(OPEN_BRACE);
    do {
      if (lua.type(L, at + 1) !== TYPE_STRING) throw new Impossible('a table with string and other keys', at);
      this.string(at + 1);
      this.byte(COLON);
      this.value(at + 2, depth);
      this.byte(COMMA);
      lua.setTop(L, at + 1);
    } while (lua.next(L, at) !== 0);
    this.out[this.length - 1] = CLOSE_BRACE;
  }

  /** The usual array: `next` meets its keys in order. False, with the stack cleared, when it does not. */
  private orderedArray(at: number, depth: number): boolean {
    const { lua, L } = this;
    this.byte(OPEN_BRACKET);
    let index = 0;
    do {
      index++;
      if (lua.type(L, at + 1) !== TYPE_NUMBER || lua.toNumber(L, at + 1) !== index) {
        lua.setTop(L, at);
        return false;
      }
      this.value(at + 2, depth);
      this.byte(COMMA);
      lua.setTop(L, at + 1);
    } while (lua.next(L, at) !== 0);
    this.out[this.length - 1] = CLOSE_BRACKET;
    return true;
  }

  /** An array that was filled in another order, and everything that is none. */
  private scatteredArray(at: number, depth: number): void {
    const { lua, L } = this;
    let count = 0;
    let largest = 0;
    lua.pushNil(L);
    for (; lua.next(L, at) !== 0; lua.setTop(L, at + 1)) {
      if (lua.type(L, at + 1) !== TYPE_NUMBER) throw new Impossible('a table with integer and other keys', at);
      const key = lua.toNumber(L, at + 1);
      if (!Number.isSafeInteger(key) || key < 1) throw new Impossible(`a table with the key ${key}`, at);
      largest = Math.max(largest, key);
      count++;
    }
    if (largest !== count) {
      throw new Impossible(`a sparse array (${count} values, the last at ${largest}): use string keys`, at);
    }
    this.byte(OPEN_BRACKET);
    for (let index = 1; index <= count; index++) {
      lua.setTop(L, at);
      lua.pushInteger(L, BigInt(index));
      lua.rawGetI(L, at, BigInt(index));
      this.value(at + 2, depth);
      this.byte(COMMA);
    }
    lua.setTop(L, at);
    this.out[this.length - 1] = CLOSE_BRACKET;
  }

  private string(at: number): void {
    const { lua, L } = this;
    const heap = this.heap;
    const pointer = lua.toLString(L, at);
    const size = lua.lastLength();
    this.reserve(size * 6 + 2, at);
    const { out } = this;
    let to = this.length;
    out[to++] = QUOTE;
    const end = pointer + size;
    for (let from = pointer; from < end; from++) {
      const byte = heap[from]!;
      if (byte >= 0x80) {
        const width = utf8Size(heap, from);
        if (width === 0 || from + width > end) throw new Impossible('a string that is not UTF-8', at);
        for (let i = 0; i < width; i++) out[to++] = heap[from + i]!;
        from += width - 1;
        continue;
      }
      const letter = ESCAPES[byte]!;
      if (letter === 0) out[to++] = byte;
      else {
        out[to++] = BACKSLASH;
        out[to++] = letter;
        if (letter === LETTER_U) to += out.write(`00${byte.toString(16).padStart(2, '0')}`, to, 'latin1');
      }
    }
    out[to++] = QUOTE;
    this.length = to;
  }

  private number(at: number): void {
    const { lua, L } = this;
    const value = lua.toNumber(L, at);
    if (Number.isSafeInteger(value)) {
      if (value >= 0 && value < 10) this.byte(value === 0 && Object.is(value, -0) ? this.minus(at) : 0x30 + value, at);
      else this.word(String(value));
    } else if (lua.isInteger(L, at) === 1) this.word(lua.toInteger(L, at).toString());
    else if (Number.isFinite(value)) this.word(String(value));
    else throw new Impossible(`the number ${value}`, at);
  }

  /** Writes the sign of -0 and returns its digit. */
  private minus(at: number): number {
    this.byte(MINUS, at);
    return 0x30;
  }

  private word(word: string): void {
    this.reserve(word.length + 1, 0);
    let to = this.length;
    for (let i = 0; i < word.length; i++) this.out[to++] = word.charCodeAt(i);
    this.length = to;
  }

  private byte(byte: number, at = 0): void {
    if (this.length === this.out.length) this.reserve(1, at);
    this.out[this.length++] = byte;
  }

  private reserve(size: number, at: number): void {
    const needed = this.length + size;
    if (needed <= this.out.length) return;
    if (this.length > MAX_JSON_BYTES) throw new Impossible(`a value of more than ${MAX_JSON_BYTES} bytes`, at);
    const larger = Buffer.allocUnsafe(needed * 2);
    this.out.copy(larger, 0, 0, this.length);
    this.out = larger;
  }

  private whyDeep(at: number): string {
    const { lua, L } = this;
    const self = lua.toPointer(L, at);
    for (let index = at - 2; index > 0 && lua.type(L, index) === TYPE_TABLE; index -= 2) {
      if (lua.toPointer(L, index) === self) return 'a table that contains itself';
    }
    return `tables nested deeper than ${MAX_JSON_DEPTH}`;
  }

  /** Where the value at stack index `at` is within the value at `root`: the keys on the way lie on the stack. */
  private path(root: number, at: number): string {
    const { lua, L } = this;
    if (at <= root) return '';
    let path = '';
    for (let key = root + 1; key < at && path.length < 200; key += 2) {
      if (lua.type(L, key) === TYPE_STRING) {
        const pointer = lua.toLString(L, key);
        path += `.${Buffer.from(lua.heap().subarray(pointer, pointer + lua.lastLength())).toString('utf8')}`;
      } else path += `[${lua.toNumber(L, key)}]`;
    }
    return `${path.replace(/^\./, '')}: `;
  }
}

const KEPT_BYTES = 1024 * 1024;
const TYPE_NIL = 0;
const TYPE_BOOLEAN = 1;
const TYPE_LIGHT_USERDATA = 2;
const TYPE_NUMBER = 3;
const TYPE_STRING = 4;
const TYPE_TABLE = 5;
const QUOTE = 0x22;
const COMMA = 0x2c;
const MINUS = 0x2d;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const LETTER_U = 0x75;
/** Byte → letter after the backslash, 0 where none is needed. */
const ESCAPES = new Uint8Array(256);
ESCAPES.fill(LETTER_U, 0, 0x20);
for (const [byte, letter] of Object.entries({ 8: 'b', 9: 't', 10: 'n', 12: 'f', 13: 'r', 34: '"', 92: '\\' })) {
  ESCAPES[Number(byte)] = letter.charCodeAt(0);
}
