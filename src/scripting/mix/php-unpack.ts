/** `mix.php_unpack`: PHP's unpack over bytes. Where PHP warns and goes on, this refuses and says why. */
import { NUMBER_CODES } from './php-format.js';
import { Refused } from './refused.js';

/** Most values one call may give: each takes more of this process's memory than the byte it may come from. */
const MAX_VALUES = 262_144;

export type Unpacked = Map<string | number, bigint | number | Buffer>;

interface Step {
  readonly code: string;
  /** -1 stands for `*`. */
  readonly count: number;
  readonly name: string;
}

export function phpUnpack(format: string, input: Buffer): Unpacked | Refused {
  const into: Unpacked = new Map();
  let at = 0;
  for (const part of format.split('/')) {
    const match = /^([\s\S])(\*|[0-9]*)([\s\S]*)$/.exec(part);
    if (match === null) return new Refused('empty part in format');
    const [, code, repeat, name] = match as unknown as [string, string, string, string];
    const count = repeat === '' ? 1 : repeat === '*' ? -1 : Number(repeat);
    const next = read({ code, count, name }, input, at, into);
    if (next instanceof Refused) return next;
    at = next;
  }
  return into;
}

/** Reads one part of the format and returns where the next one starts. */
function read(step: Step, input: Buffer, at: number, into: Unpacked): number | Refused {
  const { code, count } = step;
  switch (code) {
    case 'x':
      if (count < 0) return input.length;
      return at + count <= input.length ? at + count : shortage(step, 1, input.length - at);
    case 'X':
      if (count < 0) return new Refused('type X: "*" means nothing here');
      return count <= at ? at - count : new Refused('type X: outside of string');
    case '@':
      return count >= 0 && count <= input.length ? count : new Refused('type @: outside of string');
    case 'a':
    case 'A':
    case 'Z':
      return readText(step, input, at, into);
    case 'h':
    case 'H':
      return readHex(step, input, at, into);
    default:
      return readNumbers(step, input, at, into);
  }
}

function readText(step: Step, input: Buffer, at: number, into: Unpacked): number | Refused {
  const { code, count } = step;
  const size = count < 0 ? input.length - at : count;
  if (at + size > input.length) return shortage(step, size, input.length - at);
  let end = at + size;
  if (code === 'A') while (end > at && PADDING.has(input[end - 1]!)) end--;
  else if (code === 'Z') {
    const nul = input.indexOf(0, at);
    if (nul >= 0 && nul < end) end = nul;
  }
  into.set(key(step, 1, true), Buffer.from(input.subarray(at, end)));
  return at + size;
}
/** NUL, tab, line feed, carriage return, space: what A takes off the end. */
const PADDING: ReadonlySet<number> = new Set([0, 9, 10, 13, 32]);

function readHex(step: Step, input: Buffer, at: number, into: Unpacked): number | Refused {
  const size = step.count < 0 ? input.length - at : Math.ceil(step.count / 2);
  if (at + size > input.length) return shortage(step, size, input.length - at);
  let digits = input.toString('hex', at, at + size);
  if (step.code === 'h') digits = digits.replace(/(.)(.)/g, '$2$1');
  if (step.count >= 0) digits = digits.slice(0, step.count);
  into.set(key(step, 1, true), Buffer.from(digits, 'latin1'));
  return at + size;
}

function readNumbers(step: Step, input: Buffer, at: number, into: Unpacked): number | Refused {
  const number = NUMBER_CODES.get(step.code);
  if (number === undefined) return new Refused(`type ${step.code}: invalid format type`);
  const there = Math.floor((input.length - at) / number.size);
  const count = step.count < 0 ? there : step.count;
  if (count > there) return shortage(step, number.size, input.length - at - there * number.size);
  if (into.size + count > MAX_VALUES) return new Refused(`more than ${MAX_VALUES} values`);
  for (let i = 0; i < count; i++) {
    into.set(key(step, i + 1, step.count === 1), number.read(input, at + i * number.size));
  }
  return at + count * number.size;
}

/** A single value has the bare name; repeated ones get their number behind it. A name that is a numeral is an integer key. */
function key({ name }: Step, index: number, single: boolean): string | number {
  const text = single && name !== '' ? name : `${name}${index}`;
  return /^(0|[1-9][0-9]{0,14})$/.test(text) ? Number(text) : text;
}

function shortage({ code }: Step, needed: number, there: number): Refused {
  return new Refused(`type ${code}: not enough input, need ${needed} bytes but only ${there} are there`);
}
