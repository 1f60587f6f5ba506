/** `mix.php_pack`: PHP's pack over bytes. Where PHP warns and goes on, this refuses and says why. */
import { NUMBER_CODES, type PackValue } from './php-format.js';
import { Refused } from './refused.js';

/** Most bytes one call may produce; a format such as `x2000000000` must not take the node down. */
export const MAX_PACKED_BYTES = 16 * 1024 * 1024;

interface Step {
  readonly code: string;
  /** The number after the code, how often or how long; for `*` what it stands for here. */
  readonly count: number;
  /** Index of its first argument. */
  readonly first: number;
}

export function phpPack(format: string, values: readonly PackValue[]): Buffer | Refused {
  const steps = plan(format, values);
  if (steps instanceof Refused) return steps;
  const size = measure(steps);
  if (size instanceof Refused) return size;
  const out = Buffer.alloc(size);
  let at = 0;
  for (const step of steps) {
    const next = write(step, values, out, at);
    if (next instanceof Refused) return next;
    at = next;
  }
  return out.subarray(0, at);
}

/** Pairs every code with its arguments. */
function plan(format: string, values: readonly PackValue[]): Step[] | Refused {
  const steps: Step[] = [];
  const item = /([\s\S])(\*|[0-9]*)/y;
  let first = 0;
  for (let match = item.exec(format); match !== null; match = item.exec(format)) {
    const [, code, repeat] = match as unknown as [string, string, string];
    let count = repeat === '' ? 1 : repeat === '*' ? -1 : Number(repeat);
    let used = 0;
    if ('xX@'.includes(code)) {
      if (count < 0) return new Refused(`type ${code}: "*" means nothing here`);
    } else if ('aAZhH'.includes(code)) {
      if (first >= values.length) return new Refused(`type ${code}: not enough arguments`);
      // Z always ends in a NUL, which "*" does not count.
      if (count < 0) count = asBytes(values[first]!).length + (code === 'Z' ? 1 : 0);
      used = 1;
    } else if (NUMBER_CODES.has(code)) {
      if (count < 0) count = values.length - first;
      used = count;
      if (first + used > values.length) return new Refused(`type ${code}: too few arguments`);
    } else return new Refused(`type ${code}: unknown format code`);
    steps.push({ code, count, first });
    first += used;
  }
  if (first < values.length) return new Refused(`${values.length - first} arguments unused`);
  return steps;
}

/** Bytes needed at the widest point (X and @ move back). */
function measure(steps: readonly Step[]): number | Refused {
  let at = 0;
  let widest = 0;
  for (const { code, count } of steps) {
    if (code === 'X') {
      if (count > at) return new Refused('type X: outside of string');
      at -= count;
    } else if (code === '@') at = count;
    else if (code === 'h' || code === 'H') at += Math.ceil(count / 2);
    else at += count * (NUMBER_CODES.get(code)?.size ?? 1);
    widest = Math.max(widest, at);
    if (widest > MAX_PACKED_BYTES) return new Refused(`more than ${MAX_PACKED_BYTES} bytes`);
  }
  return widest;
}

/** Writes one step and returns where the next one starts. */
function write(step: Step, values: readonly PackValue[], out: Buffer, at: number): number | Refused {
  const { code, count, first } = step;
  switch (code) {
    case 'x':
      out.fill(0, at, at + count);
      return at + count;
    case 'X':
      return at - count;
    case '@':
      if (count > at) out.fill(0, at, count);
      return count;
    case 'a':
    case 'A':
    case 'Z':
      out.fill(code === 'A' ? 0x20 : 0, at, at + count);
      asBytes(values[first]!).copy(out, at, 0, code === 'Z' ? Math.max(0, count - 1) : count);
      return at + count;
    case 'h':
    case 'H':
      return writeHex(code, asBytes(values[first]!), count, out, at);
    default:
      return writeNumbers(step, values, out, at);
  }
}

function writeHex(code: string, digits: Buffer, count: number, out: Buffer, at: number): number | Refused {
  if (count > digits.length) return new Refused(`type ${code}: not enough characters in string`);
  out.fill(0, at, at + Math.ceil(count / 2));
  for (let i = 0; i < count; i++) {
    const digit = String.fromCharCode(digits[i]!);
    if (!/[0-9a-fA-F]/.test(digit)) return new Refused(`type ${code}: illegal hex digit ${JSON.stringify(digit)}`);
    const high = (code === 'H') === (i % 2 === 0);
    out[at + (i >> 1)]! |= Number.parseInt(digit, 16) << (high ? 4 : 0);
  }
  return at + Math.ceil(count / 2);
}

function writeNumbers({ code, count, first }: Step, values: readonly PackValue[], out: Buffer, at: number) {
  const number = NUMBER_CODES.get(code)!;
  for (let i = 0; i < count; i++) {
    const value = number.float ? asFloat(values[first + i]!) : asInteger(values[first + i]!);
    if (value === null) return new Refused(`type ${code}: argument ${first + i + 1} is not a number that fits`);
    number.write(out, value as never, at + i * number.size);
  }
  return at + count * number.size;
}

function asBytes(value: PackValue): Buffer {
  return Buffer.isBuffer(value) ? value : Buffer.from(String(value), 'latin1');
}

function asFloat(value: PackValue): number | null {
  if (!Buffer.isBuffer(value)) return Number(value);
  const text = value.toString('latin1').trim();
  const number = Number(text);
  return text === '' || Number.isNaN(number) ? null : number;
}

/** Floats lose their fraction, as in PHP; numerals in strings count as numbers. */
function asInteger(value: PackValue): bigint | null {
  if (typeof value === 'bigint') return value;
  if (typeof value === 'number') return Number.isFinite(value) ? BigInt(Math.trunc(value)) : null;
  const text = value.toString('latin1').trim();
  if (/^[+-]?[0-9]{1,40}$/.test(text)) return BigInt(text.replace('+', ''));
  const number = Number(text);
  return text === '' || !Number.isFinite(number) ? null : BigInt(Math.trunc(number));
}
