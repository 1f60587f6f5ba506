/**
 * The format codes of PHP's pack and unpack that are numbers: size, byte order, how to write and read one. Bytes and sign as
 * the PHP manual has them on a 64-bit little-endian machine, which is what PHP scripts' peers run on.
 */

/** A Lua integer, a Lua float, or a Lua string. */
export type PackValue = bigint | number | Buffer;

export interface NumberCode {
  readonly size: number;
  readonly float: boolean;
  write(into: Buffer, value: never, at: number): void;
  read(from: Buffer, at: number): bigint | number;
}

/** Integers wrap to the code's size, as in PHP. */
function integer(size: 1 | 2 | 4, signed: boolean, big: boolean): NumberCode {
  return {
    size,
    float: false,
    write(into, value: bigint, at) {
      const low = Number(BigInt.asUintN(size * 8, value));
      if (big) into.writeUIntBE(low, at, size);
      else into.writeUIntLE(low, at, size);
    },
    read(from, at) {
      if (signed) return BigInt(from.readIntLE(at, size));
      return BigInt(big ? from.readUIntBE(at, size) : from.readUIntLE(at, size));
    },
  };
}

/** Reads are signed for all four codes: PHP and Lua have no unsigned 64-bit integer. */
function long(big: boolean): NumberCode {
  return {
    size: 8,
    float: false,
    write(into, value: bigint, at) {
      if (big) into.writeBigInt64BE(BigInt.asIntN(64, value), at);
      else into.writeBigInt64LE(BigInt.asIntN(64, value), at);
    },
    read: (from, at) => (big ? from.readBigInt64BE(at) : from.readBigInt64LE(at)),
  };
}

const floatLE: NumberCode = {
  size: 4,
  float: true,
  write: (into, value: number, at) => void into.writeFloatLE(value, at),
  read: (from, at) => from.readFloatLE(at),
};
const doubleLE: NumberCode = {
  size: 8,
  float: true,
  write: (into, value: number, at) => void into.writeDoubleLE(value, at),
  read: (from, at) => from.readDoubleLE(at),
};

export const NUMBER_CODES: ReadonlyMap<string, NumberCode> = new Map([
  ['c', integer(1, true, false)],
  ['C', integer(1, false, false)],
  ['s', integer(2, true, false)],
  ['S', integer(2, false, false)],
  ['v', integer(2, false, false)],
  ['n', integer(2, false, true)],
  ['i', integer(4, true, false)],
  ['I', integer(4, false, false)],
  ['l', integer(4, true, false)],
  ['L', integer(4, false, false)],
  ['V', integer(4, false, false)],
  ['N', integer(4, false, true)],
  ['q', long(false)],
  ['Q', long(false)],
  ['P', long(false)],
  ['J', long(true)],
  ['f', floatLE],
  ['g', floatLE],
  [
    'G',
    { ...floatLE, write: (into, v: number, at) => void into.writeFloatBE(v, at), read: (b, at) => b.readFloatBE(at) },
  ],
  ['d', doubleLE],
  ['e', doubleLE],
  [
    'E',
    {
      ...doubleLE,
      write: (into, v: number, at) => void into.writeDoubleBE(v, at),
      read: (b, at) => b.readDoubleBE(at),
    },
  ],
]);
