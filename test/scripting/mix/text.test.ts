/** Splitting, query strings, URLs, base64 and digests against the vectors of their specifications. */
import fc from 'fast-check';
import t from 'tap';
import { base64Decode, base64Encode } from '../../../src/scripting/mix/base64.js';
import { digest, hmacSha256, toHex, uuid } from '../../../src/scripting/mix/hash.js';
import { Refused } from '../../../src/scripting/mix/refused.js';
import { parseStr, type QueryTable, strSplit } from '../../../src/scripting/mix/text.js';
import { parseUrl } from '../../../src/scripting/mix/url.js';

const bytes = (text: string) => Buffer.from(text, 'latin1');

function plain(value: QueryTable | string | Refused): unknown {
  if (value instanceof Refused) return `refused: ${value.error}`;
  if (typeof value === 'string') return value;
  return Object.fromEntries([...value].map(([key, inner]) => [key, plain(inner)]));
}

t.test('base64 follows RFC 4648 section 10', async (t) => {
  const vectors = {
    '': '',
    f: 'Zg==',
    fo: 'Zm8=',
    foo: 'Zm9v',
    foob: 'Zm9vYg==',
    fooba: 'Zm9vYmE=',
    foobar: 'Zm9vYmFy',
  };
  for (const [text, code] of Object.entries(vectors)) {
    t.strictSame(base64Encode(bytes(text)), bytes(code));
    t.strictSame(base64Decode(bytes(code)), bytes(text));
  }
  t.strictSame(base64Decode(bytes('Zm9v\r\nYmFy\n')), bytes('foobar'), 'line breaks are skipped');
  for (const wrong of ['Zg', 'Zg=', 'Z===', 'Zg==Zg==', 'Zm9v!A==', 'Zm9_', 'Zm 9', 'Zg==\0']) {
    t.ok(base64Decode(bytes(wrong)) instanceof Refused, `refuses ${JSON.stringify(wrong)}`);
  }
  fc.assert(
    fc.property(fc.uint8Array(), (array) => {
      const back = base64Decode(base64Encode(Buffer.from(array)) as Buffer);
      return !(back instanceof Refused) && back.equals(array);
    }),
  );
  const long = Buffer.alloc(16 * 1024 * 1024 + 1, 'a');
  t.ok(base64Encode(long) instanceof Refused);
  t.ok(base64Decode(long) instanceof Refused);
});

t.test('digests follow RFC 1321, RFC 3174, FIPS 180 and RFC 4231', async (t) => {
  const hex = (name: 'md5' | 'sha1' | 'sha256', text: string) => toHex(digest(name, bytes(text))).toString('latin1');
  t.equal(hex('md5', ''), 'd41d8cd98f00b204e9800998ecf8427e');
  t.equal(hex('md5', 'abc'), '900150983cd24fb0d6963f7d28e17f72');
  t.equal(hex('md5', 'message digest'), 'f96b697d7cb7938d525a2f31aaf161d0');
  t.equal(hex('md5', 'abcdefghijklmnopqrstuvwxyz'), 'c3fcd3d76192e4007dfb496cca67e13b');
  t.equal(hex('sha1', 'abc'), 'a9993e364706816aba3e25717850c26c9cd0d89d');
  t.equal(
    hex('sha1', 'abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
    '84983e441c3bd26ebaae4aa1f95129e5e54670f1',
  );
  t.equal(hex('sha1', 'a'.repeat(1_000_000)), '34aa973cd4c4daa4f61eeb2bdbad27316534016f');
  t.equal(hex('sha256', 'abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  const hmac = (key: Buffer, text: Buffer) => hmacSha256(key, text).toString('hex');
  t.equal(
    hmac(Buffer.alloc(20, 0x0b), bytes('Hi There')),
    'b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7',
  );
  t.equal(
    hmac(bytes('Jefe'), bytes('what do ya want for nothing?')),
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  );
  t.equal(
    hmac(Buffer.alloc(20, 0xaa), Buffer.alloc(50, 0xdd)),
    '773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe',
  );
  t.equal(
    hmac(Buffer.alloc(131, 0xaa), bytes('Test Using Larger Than Block-Size Key - Hash Key First')),
    '60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54',
  );
  t.match(uuid().toString('latin1'), /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

function split(text: string, separator: string): string[] {
  return [...strSplit(bytes(text), bytes(separator))].map(([from, to]) => text.slice(from, to));
}

t.test('str_split splits at every separator and keeps empty parts', async (t) => {
  t.strictSame(split('a,b,,c', ','), ['a', 'b', '', 'c']);
  t.strictSame(split('', ','), ['']);
  t.strictSame(split('a--b-c', '--'), ['a', 'b-c']);
  t.strictSame(split('a\xff\0b\0', '\0'), ['a\xff', 'b', '']);
  t.strictSame(
    split('a\xc3\xa9\xffz\xe2', ''),
    ['a', '\xc3\xa9', '\xff', 'z', '\xe2'],
    'an empty one gives UTF-8 characters',
  );
  t.strictSame(split('', ''), []);
});

t.test("parse_str gives the PHP manual's results, lists counted from 1", async (t) => {
  const rows: [string, unknown][] = [
    ['first=value&arr[]=foo+bar&arr[]=baz', { first: 'value', arr: { 1: 'foo bar', 2: 'baz' } }],
    ['My Value=Something', { My_Value: 'Something' }],
    ['a=1&b[]=2', { a: '1', b: { 1: '2' } }],
    ['a=1&a=2', { a: '2' }],
    ['c[k][l]=3&c[k][m]=4&c[n]=5', { c: { k: { l: '3', m: '4' }, n: '5' } }],
    ['c[5]=x&c[]=y&c[0]=z', { c: { 5: 'x', 6: 'y', 0: 'z' } }],
    ['a.b=1&c+d=2&e%2Ef=3', { a_b: '1', c_d: '2', e_f: '3' }],
    ['x[a.b]=1', { x: { 'a.b': '1' } }],
    ['x[y=1', { x_y: '1' }],
    ['x[y]z=1', { x: { y: '1' } }],
    ['=1&&&flag&e=', { flag: '', e: '' }],
    ['u=%C3%BC%zz%4', { u: '\xc3\xbc%zz%4' }],
    ['b=%00%ff', { b: '\0\xff' }],
    ['a=1&a[x]=2', { a: { x: '2' } }],
    ['a%00b=1&%00=2&c[%00]=3', { a: '1', c_: '3' }],
    ['a[ ]=1&a[\t]=2&a[  ]=3&a[%a0]=4', { a: { 1: '1', 2: '2', '  ': '3', '\xa0': '4' } }],
    ['a[9007199254740993]=1&a[9223372036854775808]=2', { a: { '9007199254740993': '1', '9223372036854775808': '2' } }],
    ['a[9007199254740991]=1&a[]=2', { a: { '9007199254740991': '1', '9007199254740992': '2' } }],
    ['', {}],
  ];
  for (const [text, expected] of rows) t.strictSame(plain(parseStr(text)), expected, text);
  t.equal(plain(parseStr('a=1&'.repeat(1001))), 'refused: more than 1000 variables');
  t.equal(plain(parseStr(`a${'[]'.repeat(64)}=1`)), 'refused: a name with more than 64 levels');
});

t.test('parse_url gives every part of a URL', async (t) => {
  const parts = (text: string) => {
    const url = parseUrl(text);
    if (url instanceof Refused) return `refused: ${url.error}`;
    return [url.scheme, url.user, url.host, url.path, url.raw_query, plain(url.query), url.fragment];
  };
  t.strictSame(parts('http://username:password@hostname:9090/path?arg=value#anchor'), [
    'http',
    'username:password',
    'hostname:9090',
    '/path',
    'arg=value',
    { arg: 'value' },
    'anchor',
  ]);
  t.strictSame(parts('//www.example.com/path?googleguy=googley')[2], 'www.example.com');
  t.strictSame(parts('/chat?token=a%20b&id=7'), [
    '',
    '',
    '',
    '/chat',
    'token=a%20b&id=7',
    { token: 'a b', id: '7' },
    '',
  ]);
  t.strictSame(parts('HTTPS://[2001:db8::1]:8443/%7Ea%2Fb'), ['https', '', '[2001:db8::1]:8443', '/~a/b', '', {}, '']);
  t.strictSame(parts('mailto:John.Doe@example.com')[3], 'John.Doe@example.com');
  t.strictSame(parts('http://a@b@c/')[1], 'a@b');
  t.strictSame(parts(''), ['', '', '', '', '', {}, '']);
  t.match(parts('http://a b/'), /^refused: a URL must not contain byte 32/);
  t.match(parts('/%zz'), /^refused: "%" must be followed/);
  t.match(parts('1http://x'), /^refused: "1http" is not a scheme/);
  t.match(parts('http://x:99999/'), /^refused: port 99999/);
  t.match(parts('http://x:y/'), /^refused: "x:y" is not a host/);
  t.match(parts('http://[::1/'), /^refused: "\[::1" is not a host/);
});

t.test('no bytes make the text functions throw', async () => {
  const text = fc.oneof(
    fc.uint8Array().map((array) => Buffer.from(array).toString('latin1')),
    fc.string({ unit: fc.constantFrom(...'a[]=&%2.: /?#@\0') }),
  );
  fc.assert(fc.property(text, (value) => void [parseStr(value), parseUrl(value), base64Decode(bytes(value))]));
  fc.assert(fc.property(text, text, (value, by) => split(value, by).join(by) === value));
});
