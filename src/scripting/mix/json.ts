/** temporary contract */
export interface JsonLua {
  heap(): Uint8Array;
  getTop(L: number): number;
  setTop(L: number, top: number): void;
  checkStack(L: number, n: number): number;
  pushNil(L: number): void;
  pushNull(L: number): void;
  pushBoolean(L: number, b: number): void;
  pushInteger(L: number, n: bigint): void;
  pushNumber(L: number, n: number): void;
  pushLString(L: number, pointer: number, length: number): void;
  pushBytes(L: number, bytes: Uint8Array, length: number): void;
  pushEmptyArray(L: number): void;
  isEmptyArray(L: number, at: number): boolean;
  isNull(L: number, at: number): boolean;
  createTable(L: number, n: number, h: number): void;
  rawSet(L: number, at: number): void;
  rawSetI(L: number, at: number, n: bigint): void;
  rawGetI(L: number, at: number, n: bigint): void;
  type(L: number, at: number): number;
  typeName(L: number, type: number): string;
  toBoolean(L: number, at: number): number;
  toNumber(L: number, at: number): number;
  toInteger(L: number, at: number): bigint;
  isInteger(L: number, at: number): number;
  toLString(L: number, at: number): number;
  lastLength(): number;
  toPointer(L: number, at: number): number;
  next(L: number, at: number): number;
}
