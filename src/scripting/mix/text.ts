/**
 * Splitting and query strings (`mix.str_split`, `mix.parse_str`). A Lua string is bytes; a query string here is a JavaScript
 * string with one character per byte (latin1), so that splitting and searching stay byte-exact.
 */
import { utf8Size } from './json-decode.js';
import { Refused } from './refused.js';

/** What a query string turns into: text, or a table with text and integer keys. */
export type QueryTable = Map<string | number | bigint, string | QueryTable>;

/** The largest index of each table, behind which `[]` goes on. */
type Lasts = Map<QueryTable, number>;

/** Bounds of one query string, as PHP's max_input_vars and max_input_nesting_level. */
export const MAX_QUERY_BYTES = 1024 * 1024;
const MAX_VARIABLES = 1000;
const MAX_NESTING = 64;

/**
 * Where the parts of a text between separators begin and end. An empty separator splits into UTF-8 characters; a byte that is
 * none stands alone. One part at a time, since a long text may have more parts than this process has memory for.
 */
export function* strSplit(text: Buffer, separator: Buffer): Generator<readonly [from: number, to: number]> {
  if (separator.length === 0) {
    for (let at = 0; at < text.length; ) {
      const to = Math.min(text.length, at + Math.max(1, utf8Size(text, at)));
      yield [at, to];
      at = to;
    }
    return;
  }
  let from = 0;
  for (let at = text.indexOf(separator); at >= 0; at = text.indexOf(separator, from)) {
    yield [from, at];
    from = at + separator.length;
  }
  yield [from, text.length];
}

/**
 * PHP's parse_str: `a=1&b[]=2&c[k][l]=3`. In the first part of a name, dots and spaces become `_`. `[]` counts from 1, as Lua
 * does; an index that is written out stays what it is.
 */
export function parseStr(text: string): QueryTable | Refused {
  if (text.length > MAX_QUERY_BYTES) return new Refused(`more than ${MAX_QUERY_BYTES} bytes`);
  const root: QueryTable = new Map();
  const lasts: Lasts = new Map();
  let variables = 0;
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    if (++variables > MAX_VARIABLES) return new Refused(`more than ${MAX_VARIABLES} variables`);
    const equals = pair.indexOf('=');
    const [name = ''] = percentDecode(equals < 0 ? pair : pair.slice(0, equals), true).split('\0', 1);
    const value = equals < 0 ? '' : percentDecode(pair.slice(equals + 1), true);
    const problem = place(root, lasts, name.replace(/^ +/, ''), value);
    if (problem !== null) return new Refused(problem);
  }
  return root;
}

/** Puts a value under a name such as `c[k][]`. As in PHP, a name ends at a zero byte, and names without a beginning are skipped. */
function place(root: QueryTable, lasts: Lasts, name: string, value: string): string | null {
  const open = name.indexOf('[');
  const hasPath = open > 0 && name.indexOf(']', open) > 0;
  const first = (hasPath ? name.slice(0, open) : name).replace(/[. []/g, '_');
  if (first === '' || open === 0) return null;
  const path = [first];
  if (hasPath) {
    let rest = name.slice(open);
    for (let end = rest.indexOf(']'); rest.startsWith('[') && end > 0; end = rest.indexOf(']')) {
      path.push(/^[ \t-\r]$/.test(rest.slice(1, end)) ? '' : rest.slice(1, end));
      rest = rest.slice(end + 1);
    }
  }
  if (path.length > MAX_NESTING) return `a name with more than ${MAX_NESTING} levels`;
  let table = root;
  for (let i = 0; i < path.length - 1; i++) {
    const key = keyOf(path[i]!, table, lasts);
    let next = table.get(key);
    if (!(next instanceof Map)) {
      next = new Map();
      table.set(key, next);
    }
    table = next;
  }
  table.set(keyOf(path[path.length - 1]!, table, lasts), value);
  return null;
}

/** Indexes are 64 bits wide as in PHP: a bigint where a JavaScript number is not exact. */
function keyOf(part: string, table: QueryTable, lasts: Lasts): string | number | bigint {
  const last = lasts.get(table) ?? 0;
  if (part !== '' && !/^(0|-?[1-9][0-9]{0,18})$/.test(part)) return part;
  const key = part === '' ? last + 1 : Number(part);
  if (!Number.isSafeInteger(key)) {
    const wide = BigInt(part || key);
    return BigInt.asIntN(64, wide) === wide ? wide : part;
  }
  if (key > last) lasts.set(table, key);
  return key;
}

/** `%41` → `A`; a `%` without two hex digits stays as it is. `plus`: `+` is a space (query strings). */
export function percentDecode(text: string, plus: boolean): string {
  const spaced = plus ? text.replace(/\+/g, ' ') : text;
  if (!spaced.includes('%')) return spaced;
  return spaced.replace(/%([0-9a-fA-F]{2})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 16)));
}
