/** mix.json_encode and mix.json_decode, with the edges that JSONTestSuite made known, each with its defined result. */
import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import t from 'tap';
import { json } from '../../../src/scripting/mix/json.js';
import { BareVm } from './bare-vm.js';

const vm = await BareVm.open(json);
await vm.run(`
  function again(text) local value, err = mix.json_decode(text) return err or mix.json_encode(value) end
  -- Values with their Lua types, so that 1 and 1.0 differ.
  function shape(value)
    if type(value) == "table" then
      local keys, out = {}, {}
      for k in pairs(value) do keys[#keys + 1] = k end
      table.sort(keys, function(a, b) return tostring(a) < tostring(b) end)
      for i, k in ipairs(keys) do out[i] = tostring(k) .. "=" .. shape(value[k]) end
      return "{" .. table.concat(out, ",") .. "}"
    end
    if value == mix.null then return "null" end
    return type(value) == "string" and string.format("%q", value) or tostring(value)
  end
  function decoded(text)
    local value, err = mix.json_decode(text)
    if err then return "refused: " .. err end
    return shape(value)
  end
`);
const decoded = (text: string | Buffer) => vm.value('return decoded((...))', text);
const encoded = async (code: string) => {
  const [text, problem] = await vm.run(`return mix.json_encode(${code})`);
  return text ?? `refused: ${problem}`;
};

t.test('values decode to what they are in Lua', async (t) => {
  const rows: [string, string][] = [
    ['null', 'nil'],
    ['true', 'true'],
    [' [1 , 2.5,\n"x",null , false] ', '{1=1,2=2.5,3="x",4=null,5=false}'],
    ['{"a":{"b":[]},"c":{}}', '{a={b={}},c={}}'],
    ['0', '0'],
    ['-0', '-0.0'],
    ['-0.0', '-0.0'],
    ['1.0', '1.0'],
    ['1e2', '100.0'],
    ['1E+2', '100.0'],
    ['123456789012345', '123456789012345'],
    ['1234567890123456789', '1234567890123456789'],
    ['9223372036854775807', '9223372036854775807'],
    ['-9223372036854775808', '-9223372036854775808'],
    ['9223372036854775808', '9.2233720368548e+18'],
    ['-9223372036854775809', '-9.2233720368548e+18'],
    ['123456789012345678901234567890', '1.2345678901235e+29'],
    ['1e-400', '0.0'],
    ['""', '""'],
    ['"\\u0041\\u00e9\\u20ac\\ud83d\\ude00"', '"Aé€😀"'],
    ['"\\"\\\\\\/\\b\\f\\n\\r\\t"', '"\\"\\\\/\\8\\12\\\n\\13\\9"'],
    ['"\\u0000x"', '"\\0x"'],
    ['"\\ud800"', '"\ufffd"'],
    ['"\\udc00\\ud800"', '"\ufffd\ufffd"'],
    ['"\\ud800\\u0041"', '"\ufffdA"'],
    ['{"a":1,"a":2}', '{a=2}'],
    ['{"a":1,"a":null}', '{a=null}'],
    ['{"":1}', '{=1}'],
  ];
  for (const [text, expected] of rows) {
    t.equal(Buffer.from((await decoded(text)) as string, 'latin1').toString(), expected, JSON.stringify(text));
  }
});

t.test('what is not JSON is refused, with what was found where', async (t) => {
  const rows: [string | Buffer, string][] = [
    ['', 'the text ends where a value is expected at byte 1'],
    [' ', 'the text ends where a value is expected at byte 2'],
    ['nul', 'found "n" where a value is expected at byte 1'],
    ['nulll', 'unexpected text after the value at byte 5'],
    ['1 2', 'unexpected text after the value at byte 3'],
    ['[1,]', 'found "]" where a value is expected at byte 4'],
    ['[1 2]', 'found "2" where "," or "]" is expected at byte 4'],
    ['[', 'the text ends where a value is expected at byte 2'],
    ['[1', 'the text ends where "," or "]" is expected at byte 3'],
    ['{"a" 1}', 'found "1" where ":" is expected at byte 6'],
    ['{a:1}', 'found "a" where a key in quotes is expected at byte 2'],
    ['{"a":1,}', 'found "}" where a key in quotes is expected at byte 8'],
    ['{"a":1', 'the text ends where "," or "}" is expected at byte 7'],
    ['{1:2}', 'found "1" where a key in quotes is expected at byte 2'],
    ['01', 'a number must not start with 0 at byte 1'],
    ['-', 'the text ends where a value is expected at byte 2'],
    ['-x', 'found "x" where a value is expected at byte 2'],
    ['1.', 'the text ends where a digit is expected at byte 3'],
    ['.5', 'found "." where a value is expected at byte 1'],
    ['1e', 'the text ends where a digit is expected at byte 3'],
    ['1e+', 'the text ends where a digit is expected at byte 4'],
    ['+1', 'found "+" where a value is expected at byte 1'],
    ['1e400', 'a number beyond what a float can hold at byte 1'],
    ['-1e400', 'a number beyond what a float can hold at byte 1'],
    ['9'.repeat(400), 'a number beyond what a float can hold at byte 1'],
    ['NaN', 'found "N" where a value is expected at byte 1'],
    ['"a', 'the text ends within a string at byte 3'],
    ['"a\\', 'the text ends where an escape of JSON is expected at byte 4'],
    ['"\\x"', 'found "x" where an escape of JSON is expected at byte 3'],
    ['"\\u12g4"', 'found "g" where four hex digits is expected at byte 6'],
    ['"\\u:::::"', 'found ":" where four hex digits is expected at byte 4'],
    ['"a\nb"', 'a control character in a string, which must be escaped at byte 3'],
    ['"a\0b"', 'a control character in a string, which must be escaped at byte 3'],
    ["'a'", 'found "\'" where a value is expected at byte 1'],
    ['\ufeff1', 'found byte 239 where a value is expected at byte 1'],
    [Buffer.from([0x22, 0xff, 0x22]), 'not UTF-8 at byte 2'],
    [Buffer.from([0x22, 0xc0, 0x80, 0x22]), 'not UTF-8 at byte 2'],
    [Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22]), 'not UTF-8 at byte 2'],
    [Buffer.from([0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]), 'not UTF-8 at byte 2'],
    [Buffer.from([0x22, 0x5c, 0x6e, 0xe2, 0x82, 0x22]), 'not UTF-8 at byte 4'],
    ['['.repeat(129), 'nested deeper than 128 at byte 129'],
    ['{"a":'.repeat(100_000), 'nested deeper than 128 at byte 641'],
  ];
  for (const [text, expected] of rows)
    t.equal(await decoded(text), `refused: ${expected}`, JSON.stringify(text.toString().slice(0, 40)));
  t.match(await decoded(`${'['.repeat(128)}${']'.repeat(128)}`), /^\{1=\{/, '128 levels are not too deep');
});

t.test('Lua values encode to what they are in JSON', async (t) => {
  const rows: [string, string][] = [
    ['nil', 'null'],
    ['mix.null', 'null'],
    ['{}', '{}'],
    ['mix.empty_array', '[]'],
    ['{a = mix.empty_array, b = nil}', '{"a":[]}'],
    ['{1, 2, {3}}', '[1,2,[3]]'],
    ['{mix.null, false}', '[null,false]'],
    ['{[3] = "c", [2] = "b", [1] = "a"}', '["a","b","c"]'],
    ['0', '0'],
    ['-0.0', '-0'],
    ['7', '7'],
    ['-7', '-7'],
    ['10 / 2', '5'],
    ['0.1', '0.1'],
    ['1e300', '1e+300'],
    ['2^53', '9007199254740992'],
    ['math.maxinteger', '9223372036854775807'],
    ['math.mininteger', '-9223372036854775808'],
    ['9007199254740993', '9007199254740993'],
    ['"a\\"\\\\\\n\\0\\31/\\127"', '"a\\"\\\\\\n\\u0000\\u001f/\x7f"'],
    ['"\\u{e9}\\u{1f600}"', '"\xc3\xa9\xf0\x9f\x98\x80"'],
    ['{["\\n"] = 1}', '{"\\n":1}'],
    ['setmetatable({1}, {__index = {2}})', '[1]'],
  ];
  for (const [code, expected] of rows) t.equal(await encoded(code), expected, JSON.stringify(code));
});

t.test('what JSON cannot hold is refused, with the path to it', async (t) => {
  const rows: [string, string][] = [
    ['print', 'cannot encode a function'],
    ['{a = {1, {b = print}}}', 'cannot encode a[2].b: a function'],
    ['{coroutine.create(print)}', 'cannot encode [1]: a thread'],
    ['{0/0}', 'cannot encode [1]: the number NaN'],
    ['1/0', 'cannot encode the number Infinity'],
    ['{x = "\\xff"}', 'cannot encode x: a string that is not UTF-8'],
    ['"\\xe2\\x82"', 'cannot encode a string that is not UTF-8'],
    ['{[1.5] = 1}', 'cannot encode a table with the key 1.5'],
    ['{[0] = 1}', 'cannot encode a table with the key 0'],
    ['{[true] = 1}', 'cannot encode a table with integer and other keys'],
    ['{a = {1, nil, 3}}', 'cannot encode a: a sparse array (2 values, the last at 3): use string keys'],
    ['{[1001] = "x"}', 'cannot encode a sparse array (1 values, the last at 1001): use string keys'],
  ];
  for (const [code, expected] of rows) t.equal(await encoded(code), `refused: ${expected}`, JSON.stringify(code));
  for (const mixed of ['{1, 2, x = 3}', '{x = 3, [1] = 2}', '{1, ["2"] = 2}']) {
    t.match(await encoded(mixed), /^refused: cannot encode a table with (string|integer) and other keys$/, mixed);
  }
  t.match(await vm.run('local t = {} t.a = {t} return mix.json_encode(t)'), [null, /: a table that contains itself$/]);
  t.match(await vm.run('local t = 1 for i = 1, 129 do t = {t} end return mix.json_encode(t)'), [
    null,
    /deeper than 128$/,
  ]);
  t.match(await vm.run('local t = 1 for i = 1, 128 do t = {t} end return #mix.json_encode(t)'), [257n]);
});

t.test('a few tables that stand for endless JSON are refused in short time', async (t) => {
  const doubled = 'local t = {1} for i = 1, 100 do t = {t, t} end return mix.json_encode(t)';
  t.match(await vm.run(doubled), [null, /a value of more than 16777216 bytes$/]);
  const scattered = `
    local t = {"x"}
    for i = 1, 100 do local n = {} n[3], n[2], n[1] = 3, 2, t n[3] = nil n[2] = t t = n end
    return mix.json_encode(t)`;
  t.match(await vm.run(scattered), [null, /bytes$|out of order$/]);
});

t.test('wrong arguments are errors in the script', async (t) => {
  t.match(await vm.run('return pcall(mix.json_decode)'), [false, /string expected, got no value/]);
  t.match(await vm.run('return pcall(mix.json_decode, {})'), [false, /string expected, got table/]);
  t.match(await vm.run('return mix.json_decode(5)'), [5n]);
});

t.test('the constants are readable', async (t) => {
  t.equal(await vm.value('return tostring(mix.null) .. tostring(mix.empty_array) .. #mix.empty_array'), 'null[]0');
  t.equal(
    await vm.value(
      'local n = 0 for _ in ipairs(mix.empty_array) do n = 1 end for _ in pairs(mix.empty_array) do n = 1 end return n',
    ),
    0n,
  );
  t.match(await vm.run('return pcall(function() return mix.null.x end)'), [
    false,
    /attempt to index mix.null \(field 'x'\)/,
  ]);
  t.equal(await vm.value('return getmetatable(mix.null)'), false);
  t.equal(
    await vm.value(
      'local t = mix.json_decode("[]") local s = mix.json_encode(t) t[1] = 5 return s .. mix.json_encode(t)',
    ),
    '[][5]',
  );
});

t.test('whatever JavaScript writes comes back the same', async () => {
  const parse = (text: string) => JSON.parse(text.replaceAll('__proto__', 'proto'));
  await fc.assert(
    fc.asyncProperty(fc.json({ maxDepth: 5, stringUnit: 'binary' }), async (text) => {
      const back = Buffer.from((await vm.value('return again((...))', text)) as string, 'latin1').toString();
      return isDeepStrictEqual(parse(back), parse(text));
    }),
  );
});

t.test('the decoder takes what JavaScript takes, and nothing else', async () => {
  const texts = fc.oneof(
    fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
    fc
      .string({ unit: fc.constantFrom(...'[]{}",:0123456789.eE+-\\u ntrf"'), maxLength: 40 })
      .map((text) => Buffer.from(text)),
  );
  await fc.assert(
    fc.asyncProperty(texts, async (text) => {
      const results = await vm.run('return mix.json_decode((...))', text);
      try {
        JSON.parse(new TextDecoder('utf8', { fatal: true, ignoreBOM: true }).decode(text));
        return results.length === 1;
      } catch {
        return results.length === 2;
      }
    }),
    { numRuns: 500 },
  );
});
