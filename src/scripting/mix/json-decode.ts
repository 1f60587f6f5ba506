/**
 * JSON text to Lua values, byte by byte, without JavaScript strings in between: a string without escapes is pushed straight
 * from where it lies in the VM's memory. Accepts exactly RFC 8259; docs/lua.md says what happens at its edges.
 */
import type { Stack } from '../stack.js';

/** Tables inside tables. Deeper text is refused, so that neither the Lua stack nor ours can overflow. */
export const MAX_JSON_DEPTH = 128;

const MAX_INTEGER = 2n ** 63n - 1n;
const MIN_INTEGER = -(2n ** 63n);
/** Integers up to here as BigInt, made once: what lua_rawseti and lua_pushinteger take. */
const SMALL = Array.from({ length: 1025 }, (_, i) => BigInt(i));

/** A table is made with room for at most so many. */
const MAX_EXPECTED = 32;

/** Thrown inside, caught in `decode`. */
class Malformed {
  constructor(
    readonly text: string,
    readonly at: number,
  ) {}
}

export class JsonDecoder {
  /** The text: a copy, because the VM's memory may move while tables are built. A 0 behind its end ends every loop. */
  private text = new Uint8Array(4096);
  private length = 0;
  private at = 0;
  /** Where the text lies in the VM's memory; it stays there, being on the Lua stack. */
  private base = 0;
  private L = 0;
  private unescaped = new Uint8Array(256);
  /** Size of the last object and array at each depth. Texts resemble each other, and a table that need not grow is made in half the time. */
  private readonly fields = new Uint8Array(MAX_JSON_DEPTH + 1).fill(4);
  private readonly elements = new Uint8Array(MAX_JSON_DEPTH + 1).fill(4);

  constructor(private readonly lua: Stack) {}

  /** Pushes the value of the text at `pointer`; on a problem pushes nothing and returns it in words. */
  decode(L: number, pointer: number, length: number): string | null {
    if (length >= this.text.length) this.text = new Uint8Array(length * 2);
    this.text.set(this.lua.heap().subarray(pointer, pointer + length));
    this.text[length] = 0;
    this.L = L;
    this.base = pointer;
    this.length = length;
    this.at = 0;
    const top = this.lua.getTop(L);
    try {
      this.space();
      if (this.text[this.at] === LETTER_N) this.top();
      else this.value(0);
      this.space();
      if (this.at < length) throw new Malformed('unexpected text after the value', this.at);
      return null;
    } catch (error) {
      if (!(error instanceof Malformed)) throw error;
      this.lua.setTop(L, top);
      return `${error.text} at byte ${error.at + 1}`;
    } finally {
      if (this.text.length > KEPT_BYTES) this.text = new Uint8Array(4096);
    }
  }

  /** A null that is the whole text is nil. */
  private top(): void {
    this.word('null');
    this.lua.pushNil(this.L);
  }

  private value(depth: number): void {
    const { lua, L } = this;
    switch (this.text[this.at]) {
      case QUOTE:
        return this.string();
      case OPEN_BRACE:
        return this.object(depth + 1);
      case OPEN_BRACKET:
        return this.array(depth + 1);
      case LETTER_T:
        this.word('true');
        return lua.pushBoolean(L, 1);
      case LETTER_F:
        this.word('false');
        return lua.pushBoolean(L, 0);
      case LETTER_N:
        this.word('null');
        return lua.pushNull(L);
      default:
        return this.number();
    }
  }

  private object(depth: number): void {
    const { lua, L, text } = this;
    this.enter(depth);
    lua.createTable(L, 0, this.fields[depth]!);
    this.at++;
    this.space();
    if (text[this.at] === CLOSE_BRACE) {
      this.at++;
      return;
    }
    for (let count = 1; ; count++) {
      if (text[this.at] !== QUOTE) throw this.unexpected('a key in quotes');
      this.string();
      this.space();
      if (text[this.at] !== COLON) throw this.unexpected('":"');
      this.at++;
      this.space();
      this.value(depth);
      lua.rawSet(L, -3);
      this.space();
      const next = text[this.at];
      this.at++;
      if (next === CLOSE_BRACE) {
        this.fields[depth] = Math.min(count, MAX_EXPECTED);
        return;
      }
      if (next !== COMMA) throw this.unexpected('"," or "}"', this.at - 1);
      this.space();
    }
  }

  private array(depth: number): void {
    const { lua, L, text } = this;
    this.enter(depth);
    this.at++;
    this.space();
    if (text[this.at] === CLOSE_BRACKET) {
      this.at++;
      return lua.pushEmptyArray(L);
    }
    lua.createTable(L, this.elements[depth]!, 0);
    for (let index = 1; ; index++) {
      this.value(depth);
      lua.rawSetI(L, -2, index < SMALL.length ? SMALL[index]! : BigInt(index));
      this.space();
      const next = text[this.at];
      this.at++;
      if (next === CLOSE_BRACKET) {
        this.elements[depth] = Math.min(index, MAX_EXPECTED);
        return;
      }
      if (next !== COMMA) throw this.unexpected('"," or "]"', this.at - 1);
      this.space();
    }
  }

  private enter(depth: number): void {
    if (depth > MAX_JSON_DEPTH) throw new Malformed(`nested deeper than ${MAX_JSON_DEPTH}`, this.at);
    if (this.lua.checkStack(this.L, 4) === 0) throw new Malformed('no Lua stack left', this.at);
  }

  private space(): void {
    const { text } = this;
    let byte = text[this.at];
    while (byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09) byte = text[++this.at];
  }

  private word(word: string): void {
    for (let i = 0; i < word.length; i++) {
      if (this.text[this.at + i] !== word.charCodeAt(i)) throw this.unexpected('a value');
    }
    this.at += word.length;
  }

  private string(): void {
    const { text } = this;
    const start = this.at + 1;
    let at = start;
    for (;;) {
      const byte = text[at]!;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) return this.escapedString(start, at);
      if (byte >= 0x80) at = this.utf8(at);
      else if (byte < 0x20) throw this.control(at);
      else at++;
    }
    this.at = at + 1;
    this.lua.pushLString(this.L, this.base + start, at - start);
  }

  /** A string with escapes, whose bytes up to `at` are plain. */
  private escapedString(start: number, at: number): void {
    const { text } = this;
    // What is unescaped is never longer than what is written.
    if (this.unescaped.length < this.length) this.unescaped = new Uint8Array(this.length);
    const out = this.unescaped;
    out.set(text.subarray(start, at));
    let length = at - start;
    for (;;) {
      const byte = text[at]!;
      if (byte === QUOTE) break;
      if (byte === BACKSLASH) {
        this.at = at;
        length = this.escape(out, length);
        at = this.at;
      } else if (byte >= 0x80) {
        const next = this.utf8(at);
        while (at < next) out[length++] = text[at++]!;
      } else if (byte < 0x20) throw this.control(at);
      else {
        out[length++] = byte;
        at++;
      }
    }
    this.at = at + 1;
    this.lua.pushBytes(this.L, out, length);
    if (out.length > KEPT_BYTES) this.unescaped = new Uint8Array(256);
  }

  /** One escape at `this.at`; returns the new length of `out`. */
  private escape(out: Uint8Array, length: number): number {
    const kind = this.text[this.at + 1]!;
    if (kind !== LETTER_U) {
      const byte = ESCAPES[kind] ?? 0;
      if (byte === 0) throw this.unexpected('an escape of JSON', this.at + 1);
      this.at += 2;
      out[length] = byte;
      return length + 1;
    }
    let code = this.hex4(this.at + 2);
    this.at += 6;
    if (code >= 0xd800 && code < 0xdc00 && this.text[this.at] === BACKSLASH && this.text[this.at + 1] === LETTER_U) {
      const low = this.hex4(this.at + 2);
      if (low >= 0xdc00 && low < 0xe000) {
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        this.at += 6;
      }
    }
    // A surrogate without its half has no UTF-8.
    return writeUtf8(out, length, code >= 0xd800 && code < 0xe000 ? 0xfffd : code);
  }

  private hex4(at: number): number {
    let code = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.text[at + i]!;
      const digit = byte >= 0x30 && byte <= 0x39 ? byte - 0x30 : (byte | 0x20) - 0x57;
      if (digit < 0 || digit > 15 || (digit > 9 && byte < 0x41)) throw this.unexpected('four hex digits', at + i);
      code = code * 16 + digit;
    }
    return code;
  }

  /** Checks the character that starts at `at` and returns where the next one starts. */
  private utf8(at: number): number {
    const size = utf8Size(this.text, at);
    if (size === 0) throw new Malformed('not UTF-8', at);
    return at + size;
  }

  private number(): void {
    const { text, lua, L } = this;
    const start = this.at;
    let at = start;
    const negative = text[at] === MINUS;
    if (negative) at++;
    const first = at;
    let value = 0;
    let byte = text[at]!;
    for (; byte >= 0x30 && byte <= 0x39; byte = text[++at]!) value = value * 10 + (byte - 0x30);
    const digits = at - first;
    if (digits === 0) throw this.unexpected('a value', first);
    if (digits > 1 && text[first] === 0x30) throw new Malformed('a number must not start with 0', first);
    if (byte === DOT || (byte | 0x20) === LETTER_E) return this.float(start, at);
    this.at = at;
    if (value === 0 && negative) lua.pushNumber(L, -0);
    else if (digits <= 15) {
      if (negative) lua.pushInteger(L, BigInt(-value));
      else lua.pushInteger(L, value < SMALL.length ? SMALL[value]! : BigInt(value));
    } else this.longInteger(start, at);
  }

  /** Exact up to 64 bits; beyond, the nearest float. */
  private longInteger(start: number, end: number): void {
    const { lua, L } = this;
    const written = latin1(this.text, start, end);
    const integer = end - start <= 20 ? BigInt(written) : MAX_INTEGER + 1n;
    if (integer >= MIN_INTEGER && integer <= MAX_INTEGER) lua.pushInteger(L, integer);
    else lua.pushNumber(L, this.finite(Number(written), start));
  }

  /** A number with a fraction or an exponent, whose integer part ends at `at`. */
  private float(start: number, at: number): void {
    const { text } = this;
    let end = at;
    if (text[end] === DOT) end = this.digits(end + 1);
    if ((text[end]! | 0x20) === LETTER_E) {
      end++;
      if (text[end] === PLUS || text[end] === MINUS) end++;
      end = this.digits(end);
    }
    this.at = end;
    this.lua.pushNumber(this.L, this.finite(Number(latin1(text, start, end)), start));
  }

  private digits(at: number): number {
    let end = at;
    while (this.text[end]! >= 0x30 && this.text[end]! <= 0x39) end++;
    if (end === at) throw this.unexpected('a digit', at);
    return end;
  }

  private finite(value: number, at: number): number {
    if (Number.isFinite(value)) return value;
    throw new Malformed('a number beyond what a float can hold', at);
  }

  private control(at: number): Malformed {
    if (at >= this.length) return new Malformed('the text ends within a string', at);
    return new Malformed('a control character in a string, which must be escaped', at);
  }

  private unexpected(expected: string, at: number = this.at): Malformed {
    if (at >= this.length) return new Malformed(`the text ends where ${expected} is expected`, at);
    const byte = this.text[at]!;
    const found = byte > 0x20 && byte < 0x7f ? `"${String.fromCharCode(byte)}"` : `byte ${byte}`;
    return new Malformed(`found ${found} where ${expected} is expected`, at);
  }
}

/** Buffers that one large text has grown are given back. */
const KEPT_BYTES = 1024 * 1024;
const QUOTE = 0x22;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const LETTER_E = 0x65;
const LETTER_F = 0x66;
const LETTER_N = 0x6e;
const LETTER_T = 0x74;
const LETTER_U = 0x75;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
/** Byte after the backslash → byte it stands for. */
const ESCAPES = new Uint8Array(256);
for (const [letter, byte] of Object.entries({ '"': 34, '\\': 92, '/': 47, b: 8, f: 12, n: 10, r: 13, t: 9 })) {
  ESCAPES[letter.charCodeAt(0)] = byte;
}

function latin1(bytes: Uint8Array, start: number, end: number): string {
  let text = '';
  for (let i = start; i < end; i++) text += String.fromCharCode(bytes[i]!);
  return text;
}

function writeUtf8(out: Uint8Array, at: number, code: number): number {
  if (code < 0x80) {
    out[at] = code;
    return at + 1;
  }
  const tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  out[at] = [0, 0xc0, 0xe0, 0xf0][tail]! | (code >> (6 * tail));
  for (let i = 1; i <= tail; i++) out[at + i] = 0x80 | ((code >> (6 * (tail - i))) & 0x3f);
  return at + tail + 1;
}

/** Bytes of the UTF-8 character at `at` (RFC 3629: no overlong forms, no surrogates), 0 when it is none. */
export function utf8Size(bytes: Uint8Array, at: number): number {
  const lead = bytes[at]!;
  if (lead < 0x80) return 1;
  const second = bytes[at + 1]!;
  if ((second & 0xc0) !== 0x80 || lead < 0xc2 || lead > 0xf4) return 0;
  if (lead < 0xe0) return 2;
  if ((bytes[at + 2]! & 0xc0) !== 0x80) return 0;
  if (lead < 0xf0) return (lead === 0xe0 && second < 0xa0) || (lead === 0xed && second > 0x9f) ? 0 : 3;
  if ((bytes[at + 3]! & 0xc0) !== 0x80) return 0;
  return (lead === 0xf0 && second < 0x90) || (lead === 0xf4 && second > 0x8f) ? 0 : 4;
}
