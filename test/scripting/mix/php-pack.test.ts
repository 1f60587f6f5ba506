/** PHP's pack and unpack: vectors of the PHP manual and of php-src's tests, and every code there and back. */
import fc from 'fast-check';
import t from 'tap';
import { NUMBER_CODES, type PackValue } from '../../../src/scripting/mix/php-format.js';
import { phpPack } from '../../../src/scripting/mix/php-pack.js';
import { phpUnpack } from '../../../src/scripting/mix/php-unpack.js';
import { Refused } from '../../../src/scripting/mix/refused.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

function packed(format: string, ...values: (PackValue | string)[]): string {
  const out = phpPack(
    format,
    values.map((value) => (typeof value === 'string' ? bytes(value) : value)),
  );
  return out instanceof Refused ? `refused: ${out.error}` : out.toString('hex');
}

function unpacked(format: string, hex: string): unknown {
  const out = phpUnpack(format, Buffer.from(hex, 'hex'));
  if (out instanceof Refused) return `refused: ${out.error}`;
  return Object.fromEntries(
    [...out].map(([key, value]) => [key, Buffer.isBuffer(value) ? value.toString('latin1') : value]),
  );
}

t.test("pack gives the PHP manual's and php-src's results", async (t) => {
  t.equal(packed('nvc*', 0x1234n, 0x5678n, 65n, 66n), '123478564142', 'the manual');
  const rows: [string, (PackValue | string)[], string][] = [
    ['A', ['foo'], '66'],
    ['A5', ['foo '], '666f6f2020'],
    ['A*', ['foo'], '666f6f'],
    ['a5', ['foo'], '666f6f0000'],
    ['a2', ['foo'], '666f'],
    ['Z*', ['aa'], '616100'],
    ['Z2', ['aa'], '6100'],
    ['Z5', ['aa'], '6161000000'],
    ['Z0', ['aa'], ''],
    ['h', ['a'], '0a'],
    ['h*', ['1f2e'], 'f1e2'],
    ['H', ['a'], 'a0'],
    ['H*', ['1f2e3'], '1f2e30'],
    ['H2', ['AbCd'], 'ab'],
    ['C*', [0n, 128n, 255n, 256n, -129n], '0080ff007f'],
    ['s', [-1000n], '18fc'],
    ['S', [64434n], 'b2fb'],
    ['n', [65534n], 'fffe'],
    ['v', [1n], '0100'],
    ['l', [-2147483646n], '02000080'],
    ['N', [4294967294n], 'fffffffe'],
    ['V', [0x04030201n], '01020304'],
    ['q', [-2n], 'feffffffffffffff'],
    ['J', [0x0102030405060708n], '0102030405060708'],
    ['P', [0x0102030405060708n], '0807060504030201'],
    ['Q', [-1n], 'ffffffffffffffff'],
    ['E', [0.1], '3fb999999999999a'],
    ['e', [0.1], '9a9999999999b93f'],
    ['d', [1], '000000000000f03f'],
    ['G', [-200.5], 'c3488000'],
    ['g', [-200.5], '008048c3'],
    ['f', [1n], '0000803f'],
    ['x2Cx', [1n], '00000100'],
    ['C3X1C', [1n, 2n, 3n, 9n], '010209'],
    ['C3X2', [1n, 2n, 3n], '01'],
    ['C@4C', [1n, 2n], '0100000002'],
    ['C3@1C', [1n, 2n, 3n, 9n], '0109'],
    ['n', ['258'], '0102'],
    ['n', [258.9], '0102'],
    ['a*', [12n], '3132'],
    ['', [], ''],
  ];
  for (const [format, values, hex] of rows) t.equal(packed(format, ...values), hex, `pack("${format}")`);
});

t.test("unpack gives the PHP manual's and php-src's results", async (t) => {
  const rows: [string, string, unknown][] = [
    ['cchars/nint', '0400a000', { chars: 4n, int: 160n }],
    ['c2chars/nint', '324200a0', { chars1: 50n, chars2: 66n, int: 160n }],
    ['c2/n', '324200a0', { 1: 160n, 2: 66n }],
    ['A*', '666f6f20000d0a09', { 1: 'foo' }],
    ['a*', '666f6f2000', { 1: 'foo \0' }],
    ['Z*rest', '666f6f006261', { rest: 'foo' }],
    ['Z2a/Zb', '666f6f', { a: 'fo', b: 'o' }],
    ['h*', 'f1e2', { 1: '1f2e' }],
    ['H3x', '1f2e', { x: '1f2' }],
    ['C*', '0080ff', { 1: 0n, 2: 128n, 3: 255n }],
    ['c*v', '00807f', { v1: 0n, v2: -128n, v3: 127n }],
    ['C*', '', {}],
    ['l', '02000080', { 1: -2147483646n }],
    ['L', '02000080', { 1: 2147483650n }],
    ['N', 'fffffffe', { 1: 4294967294n }],
    ['q', 'feffffffffffffff', { 1: -2n }],
    ['J', 'ffffffffffffffff', { 1: -1n }],
    ['Gf/Ed', 'c34880003fb999999999999a', { f: -200.5, d: 0.1 }],
    ['Ca/x2/Cb/X/Cc/@0/Cd', '01020304', { a: 1n, b: 4n, c: 4n, d: 1n }],
    ['Nlen/a*body', '00000005aaff00', { len: 5n, body: '\xaa\xff\0' }],
  ];
  for (const [format, hex, expected] of rows) t.strictSame(unpacked(format, hex), expected, `unpack("${format}")`);
});

t.test('what PHP warns about is refused with the code that is wrong', async (t) => {
  t.equal(packed('n'), 'refused: type n: too few arguments');
  t.equal(packed('a'), 'refused: type a: not enough arguments');
  t.equal(packed('n', 1n, 2n), 'refused: 1 arguments unused');
  t.equal(packed('y', 1n), 'refused: type y: unknown format code');
  t.equal(packed('H*', 'fg'), 'refused: type H: illegal hex digit "g"');
  t.equal(packed('H4', 'ff'), 'refused: type H: not enough characters in string');
  t.equal(packed('CX2', 1n), 'refused: type X: outside of string');
  t.equal(packed('n', 'cat'), 'refused: type n: argument 1 is not a number that fits');
  t.equal(packed('C', Number.NaN), 'refused: type C: argument 1 is not a number that fits');
  t.match(packed('x99999999999'), /^refused: more than/);
  t.match(packed('a999999999', 'x'), /^refused: more than/);
  t.equal(unpacked('N', '0001'), 'refused: type N: not enough input, need 4 bytes but only 2 are there');
  t.equal(unpacked('y', '0001'), 'refused: type y: invalid format type');
  t.equal(unpacked('a9', '0001'), 'refused: type a: not enough input, need 9 bytes but only 2 are there');
  t.equal(unpacked('@9', '0001'), 'refused: type @: outside of string');
  t.equal(unpacked('X', '0001'), 'refused: type X: outside of string');
  t.equal(unpacked('C//C', '0001'), 'refused: empty part in format');
});

t.test('every integer code gives back the low bytes of any integer', async () => {
  for (const [code, { size, float }] of NUMBER_CODES) {
    if (float) continue;
    const signed = 'cslqiQJP'.includes(code);
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const out = phpPack(code, [value]);
        if (out instanceof Refused) return false;
        const back = phpUnpack(`${code}v`, out);
        const expected = signed ? BigInt.asIntN(size * 8, value) : BigInt.asUintN(size * 8, value);
        return !(back instanceof Refused) && back.get('v') === expected;
      }),
    );
  }
});

t.test('no format and no input make pack or unpack throw', async () => {
  const formats = fc.string({ unit: fc.constantFrom(...'aAhHcCsSnvlLNVqQJPfdeEgGxXZ@*0129/k ') });
  const value = fc.oneof(
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.double(),
    fc.uint8Array().map((array) => Buffer.from(array)),
  );
  fc.assert(fc.property(formats, fc.array(value, { maxLength: 6 }), (format, values) => void phpPack(format, values)));
  fc.assert(fc.property(formats, fc.uint8Array(), (format, input) => void phpUnpack(format, Buffer.from(input))));
});
