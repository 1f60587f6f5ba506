import fc from 'fast-check';
import t from 'tap';
import { countsAnswer } from '../../src/api/counts-answer.js';
import { readQuickPublish } from '../../src/api/quick-publish.js';

/** What the general reader makes of the same text. */
function general(text: string) {
  const { m, p, i } = JSON.parse(text);
  t.equal(m, 'mesh.publish');
  return { channel: p.c, data: p.d, id: i ?? null };
}

const quick = (text: string) => {
  const read = readQuickPublish(Buffer.from(text));
  return read === null ? null : { ...read, data: Buffer.from(read.data).toString() };
};

t.test('the common form is read without JSON.parse', async (t) => {
  const text = '{"m":"mesh.publish","p":{"c":"user:1001","d":"Hello,Wörld!"},"i":12345}';
  t.same(quick(text), { channel: 'user:1001', data: 'Hello,Wörld!', id: 12345 });
  t.same(quick('{"m":"mesh.publish","p":{"c":"c","d":""}}'), { channel: 'c', data: '', id: null });
});

t.test('whatever it reads, the general reader reads alike', async (t) => {
  const word = fc.oneof(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme-ascii' }));
  const id = fc.oneof(fc.constant(undefined), fc.nat(), fc.maxSafeInteger(), fc.string(), fc.constant(0));
  let common = 0;
  fc.assert(
    fc.property(word, word, id, (c, d, i) => {
      const text = JSON.stringify({ m: 'mesh.publish', p: { c, d }, i });
      const read = quick(text);
      if (read === null) return true;
      common++;
      return JSON.stringify(read) === JSON.stringify(general(text));
    }),
    { numRuns: 2000 },
  );
  t.ok(common > 200, `${common} of 2000 were of the common form`);
});

t.test('answers written as bytes are those that JSON would write', async (t) => {
  const number = fc.oneof(fc.nat(20), fc.maxSafeInteger().map(Math.abs));
  fc.assert(
    fc.property(fc.array(fc.tuple(number, number, number), { minLength: 1 }), (answers) =>
      answers.every(
        ([s, f, i]) => Buffer.from(countsAnswer(s, f, i)).toString() === JSON.stringify({ E: null, r: { s, f }, i }),
      ),
    ),
  );
  t.pass('all of them');
});

t.test('anything that is not exactly that form is left to the general reader', async (t) => {
  const text = '{"m":"mesh.publish","p":{"c":"user","d":"data"},"i":12}';
  t.ok(quick(text));
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 2 }), (at, put) => {
      const changed = text.slice(0, at) + put + text.slice(at + 1);
      const read = quick(changed);
      if (read === null) return true;
      // Still of the form: then it must be JSON, and say the same.
      return JSON.stringify(read) === JSON.stringify(general(changed));
    }),
    { numRuns: 2000 },
  );
  for (const odd of [
    '{"m":"mesh.publish","p":{"c":"a","d":"b\\n"},"i":1}',
    '{"m":"mesh.publish","p":{"c":"a","d":"b"},"i":01}',
    '{"m":"mesh.publish","p":{"c":"a","d":"b"},"i":1.5}',
    '{"m":"mesh.publish","p":{"c":"a","d":"b"},"i":}',
    '{"m":"mesh.publish","p":{"c":"a","d":"b"},"i":1234567890123456}',
    '{"m":"mesh.publish","p":{"c":"a","d":"b"}',
    '{"m":"mesh.publish","p":{"c":"a","d":"b',
    '{"m":"mesh.publish","p":{"c":"a","d":"b\u0001"}}',
    '',
  ]) {
    t.equal(quick(odd), null, odd);
  }
});
