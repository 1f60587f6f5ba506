/** What scripts keep of Lua's `os`: time, date, clock, difftime, as the manual describes them. */
import { LUA_TYPE, ScriptError, type Stack } from '../stack.js';
import type { MakeModule } from './module.js';

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
];
const LONGEST_FORMAT = 1000;

/** A moment in the calendar, local or UTC. */
interface Moment {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly min: number;
  readonly sec: number;
  readonly wday: number;
  readonly yday: number;
  readonly offsetMinutes: number;
}

export const os: MakeModule = ({ stack }) => ({
  functions: {
    'os.time'(L) {
      stack.pushCount(L, stack.isNil(L, 1) ? Math.floor(Date.now() / 1000) : timeOf(stack, L));
      return 1;
    },
    'os.clock'(L) {
      stack.pushNumber(L, process.cpuUsage().user / 1e6);
      return 1;
    },
    'os.difftime'(L) {
      stack.pushNumber(L, stack.checkNumber(L, 1) - (stack.optNumber(L, 2) ?? 0));
      return 1;
    },
    'os.date'(L) {
      const asked = stack.optText(L, 1) ?? '%c';
      const seconds = stack.optNumber(L, 2) ?? Math.floor(Date.now() / 1000);
      const utc = asked.startsWith('!');
      const moment = momentOf(seconds, utc);
      const format = utc ? asked.slice(1) : asked;
      if (format.length > LONGEST_FORMAT) throw new ScriptError("bad argument #1 to 'date' (format too long)");
      if (format.startsWith('*t')) pushMoment(stack, L, moment);
      else stack.pushText(L, formatted(format, moment, seconds));
      return 1;
    },
  },
});

function momentOf(seconds: number, utc: boolean): Moment {
  const at = new Date(seconds * 1000);
  if (Number.isNaN(at.getTime())) throw new ScriptError("bad argument #2 to 'date' (time out of bounds)");
  const offsetMinutes = utc ? 0 : -at.getTimezoneOffset();
  const local = new Date(at.getTime() + offsetMinutes * 60_000);
  const year = local.getUTCFullYear();
  return {
    year,
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    min: local.getUTCMinutes(),
    sec: local.getUTCSeconds(),
    wday: local.getUTCDay() + 1,
    yday: Math.floor((local.getTime() - Date.UTC(year, 0, 1)) / 86_400_000) + 1,
    offsetMinutes,
  };
}

function pushMoment(stack: Stack, L: number, { offsetMinutes: _, ...fields }: Moment): void {
  stack.createTable(L, 0, 9);
  for (const [name, value] of Object.entries(fields)) {
    stack.pushCount(L, value);
    stack.setField(L, name);
  }
  stack.pushBoolean(L, 0);
  stack.setField(L, 'isdst');
}

/** Seconds of a table with year, month, day and perhaps hour, min, sec, in local time. */
function timeOf(stack: Stack, L: number): number {
  stack.checkTable(L, 1);
  const field = (name: string, fallback: number | undefined): number => {
    const type = stack.getField(L, 1, name);
    const value = stack.toNumber(L, -1);
    stack.setTop(L, -2);
    if (type === LUA_TYPE.nil) {
      if (fallback === undefined) throw new ScriptError(`field '${name}' missing in date table`);
      return fallback;
    }
    if (!Number.isInteger(value)) throw new ScriptError(`field '${name}' is not an integer`);
    return value;
  };
  const [year, month, day] = [field('year', undefined), field('month', undefined), field('day', undefined)];
  const at = new Date(year, month - 1, day, field('hour', 12), field('min', 0), field('sec', 0));
  if (year >= 0 && year < 100) at.setFullYear(year);
  const seconds = Math.floor(at.getTime() / 1000);
  if (Number.isNaN(seconds)) throw new ScriptError('time result cannot be represented in this installation');
  return seconds;
}

const two = (value: number): string => String(value).padStart(2, '0');

function formatted(format: string, m: Moment, seconds: number): string {
  return format.replace(/%([\s\S]?)/g, (_, code: string) => conversion(code, m, seconds));
}

/** One conversion of C99's strftime in the C locale. */
function conversion(code: string, m: Moment, seconds: number): string {
  const again = (format: string) => formatted(format, m, seconds);
  const hour12 = m.hour % 12 === 0 ? 12 : m.hour % 12;
  const day = DAYS[m.wday - 1];
  const month = MONTHS[m.month - 1];
  const zone = Math.abs(m.offsetMinutes);
  const texts: Record<string, () => string> = {
    a: () => day.slice(0, 3),
    A: () => day,
    b: () => month.slice(0, 3),
    B: () => month,
    c: () => again('%a %b %e %H:%M:%S %Y'),
    C: () => two(Math.floor(m.year / 100)),
    d: () => two(m.day),
    D: () => again('%m/%d/%y'),
    e: () => String(m.day).padStart(2),
    F: () => again('%Y-%m-%d'),
    h: () => month.slice(0, 3),
    H: () => two(m.hour),
    I: () => two(hour12),
    j: () => String(m.yday).padStart(3, '0'),
    m: () => two(m.month),
    M: () => two(m.min),
    n: () => '\n',
    p: () => (m.hour < 12 ? 'AM' : 'PM'),
    r: () => again('%I:%M:%S %p'),
    R: () => again('%H:%M'),
    s: () => String(seconds),
    S: () => two(m.sec),
    t: () => '\t',
    T: () => again('%H:%M:%S'),
    u: () => String(m.wday === 1 ? 7 : m.wday - 1),
    w: () => String(m.wday - 1),
    x: () => again('%m/%d/%y'),
    X: () => again('%H:%M:%S'),
    y: () => two(m.year % 100),
    Y: () => String(m.year),
    z: () => `${m.offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(zone / 60))}${two(zone % 60)}`,
    Z: () => (m.offsetMinutes === 0 ? 'UTC' : `UTC${again('%z')}`),
    '%': () => '%',
  };
  const text = texts[code];
  if (text === undefined) throw new ScriptError(`bad argument #1 to 'date' (invalid conversion specifier '%${code}')`);
  return text();
}
