/** Small tables between the Lua stack and JavaScript, for options and results. Text here has one character per byte (latin1). */
import { LUA_TYPE, ScriptError, type Stack } from '../stack.js';

/** What a result table may hold; a Map becomes a table, an array a list. */
export type TableValue =
  | string
  | number
  | bigint
  | Buffer
  | ReadonlyMap<string | number | bigint, TableValue>
  | TableValue[];

/** Pushes a value: strings as bytes, bigints as integers, numbers as floats (but as integers where they are keys). */
export function pushTable(stack: Stack, L: number, value: TableValue): void {
  if (typeof value === 'string') return stack.pushBytes(L, Buffer.from(value, 'latin1'));
  if (Buffer.isBuffer(value)) return stack.pushBytes(L, value);
  if (typeof value === 'bigint') return stack.pushInteger(L, value);
  if (typeof value === 'number') return stack.pushNumber(L, value);
  if (stack.checkStack(L, 4) === 0) throw new ScriptError('no Lua stack left');
  if (Array.isArray(value)) {
    stack.createTable(L, value.length, 0);
    for (let i = 0; i < value.length; i++) {
      pushTable(stack, L, value[i]!);
      stack.rawSetI(L, -2, BigInt(i + 1));
    }
    return;
  }
  stack.createTable(L, 0, value.size);
  for (const [key, inner] of value) {
    if (typeof key === 'number') stack.pushCount(L, key);
    else pushTable(stack, L, key);
    pushTable(stack, L, inner);
    stack.rawSet(L, -3);
  }
}

/** Reads options from the table at `at`; nil there is a table without options. `where` names the function in errors. */
export class Options {
  private readonly present: boolean;

  constructor(
    private readonly stack: Stack,
    private readonly L: number,
    private readonly at: number,
    private readonly where: string,
  ) {
    this.present = !stack.isNil(L, at);
    if (this.present && stack.type(L, at) !== LUA_TYPE.table) throw this.wrong(`argument #${at}`, 'a table', at);
  }

  /** A string or number as bytes. */
  text(key: string): string | undefined {
    return this.read(key, (at) => this.textAt(at, key, 'a string'));
  }

  number(key: string): number | undefined {
    return this.read(key, (at) => {
      if (this.stack.type(this.L, at) !== LUA_TYPE.number) throw this.wrong(key, 'a number', at);
      return this.stack.toNumber(this.L, at);
    });
  }

  /** A string, or a list of strings. */
  texts(key: string): string[] | undefined {
    return this.read(key, (at) => {
      if (this.stack.type(this.L, at) !== LUA_TYPE.table)
        return [this.textAt(at, key, 'a string or a list of strings')];
      return [...this.entries(at, key).values()];
    });
  }

  /** A table of strings. */
  map(key: string): Map<string, string> | undefined {
    return this.read(key, (at) => {
      if (this.stack.type(this.L, at) !== LUA_TYPE.table) throw this.wrong(key, 'a table', at);
      return this.entries(at, key);
    });
  }

  /** Whether the value of a key is a table. */
  isTable(key: string): boolean {
    return this.read(key, (at) => this.stack.type(this.L, at) === LUA_TYPE.table) ?? false;
  }

  private read<T>(key: string, use: (at: number) => T): T | undefined {
    if (!this.present) return undefined;
    const { stack, L } = this;
    const top = stack.getTop(L);
    const value = stack.getField(L, this.at, key) <= LUA_TYPE.nil ? undefined : use(top + 1);
    stack.setTop(L, top);
    return value;
  }

  private entries(at: number, key: string): Map<string, string> {
    const { stack, L } = this;
    const found = new Map<string, string>();
    stack.pushNil(L);
    while (stack.next(L, at) !== 0) {
      const top = stack.getTop(L);
      // A copy of the key, since turning a number into text in place would confuse `next`.
      stack.pushValue(L, top - 1);
      const name = this.textAt(top + 1, key, 'a table of strings');
      found.set(name, this.textAt(top, `${key}.${name}`, 'a string'));
      stack.setTop(L, top - 1);
    }
    return found;
  }

  private textAt(at: number, key: string, expected: string): string {
    const { stack, L } = this;
    const type = stack.type(L, at);
    if (type !== LUA_TYPE.string && type !== LUA_TYPE.number) throw this.wrong(key, expected, at);
    return stack.checkBytes(L, at).toString('latin1');
  }

  private wrong(what: string, expected: string, at: number): ScriptError {
    const found = this.stack.typeName(this.L, this.stack.type(this.L, at));
    return new ScriptError(`${this.where}: ${what} must be ${expected}, not ${found}`);
  }
}
