/** The hand-written codec of the streams against the library's, for every message that fits the proto. */
import { fileURLToPath } from 'node:url';
import { loadSync, type ServiceDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import t from 'tap';
import { FramedWriter, serializeBatch } from '../../src/api/framed-writer.js';
import { decodePublish, encodeMessage, encodeReply } from '../../src/api/grpc-codec.js';
import { ERRORS, type ErrorName, MeshError } from '../../src/errors.js';

const PROTO = fileURLToPath(new URL('../../proto/lumesh.proto', import.meta.url));
const service = loadSync(PROTO, { longs: String, defaults: true })['lumesh.v1.Lumesh'] as ServiceDefinition;
const { PublishStream, Subscribe } = service;

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const bytes = fc.uint8Array({ maxLength: 300 });
const text = fc.string({ unit: 'grapheme', maxLength: 200 });

/** The number of a varint's bytes. */
function varint(id: Uint8Array): bigint {
  return id.reduceRight((value, byte) => (value << 7n) | BigInt(byte & 0x7f), 0n);
}

t.test('a PublishRequest is read as the library writes it', async (t) => {
  fc.assert(
    fc.property(text, bytes, fc.boolean(), uint64, (channel, data, binary, id) => {
      const read = decodePublish(
        PublishStream.requestSerialize({ channel, data: Buffer.from(data), binary, id: String(id) }) as Buffer,
      );
      return (
        read.channel === channel &&
        Buffer.compare(read.data, data) === 0 &&
        read.binary === binary &&
        varint(read.id) === id
      );
    }),
  );
  t.pass('all of them');
});

t.test('a PublishReply is written as the library reads it', async (t) => {
  const kinds = Object.keys(ERRORS) as ErrorName[];
  const error = fc.option(
    fc.record({
      kind: fc.constantFrom(...kinds),
      message: text,
      retryAfter: fc.option(fc.nat(100), { nil: undefined }),
    }),
  );
  const counts = fc.record({ success: fc.maxSafeInteger().map(Math.abs), fail: fc.nat(), unconfirmed: fc.array(text) });
  fc.assert(
    fc.property(uint64, error, counts, (id, problem, result) => {
      const request = decodePublish(PublishStream.requestSerialize({ id: String(id) }) as Buffer);
      const failed = problem && new MeshError(problem.kind, problem.message, problem.retryAfter);
      const expected = failed ? { success: 0, fail: 0, unconfirmed: [] } : result;
      const reply = PublishStream.responseDeserialize(encodeReply(request.id, failed, expected)) as Record<
        string,
        unknown
      >;
      t.match(reply, { success: `${expected.success}`, fail: `${expected.fail}`, id: `${id}` });
      t.same(reply.unconfirmed, expected.unconfirmed);
      if (failed === null) t.equal(reply.error, null);
      else {
        const retryAfterMs = String((problem?.retryAfter ?? 0) * 1000);
        t.same(reply.error, { code: failed.code, message: failed.message, retryAfterMs });
      }
    }),
    { numRuns: 50 },
  );
});

t.test('a Message is written as the library reads it', async (t) => {
  fc.assert(
    fc.property(text, bytes, fc.boolean(), fc.option(text), (channel, data, binary, pattern) => {
      const read = Subscribe.responseDeserialize(encodeMessage({ channel, data, binary }, pattern)) as {
        channel: string;
        data: Buffer;
        binary: boolean;
        pattern: string;
      };
      return (
        read.channel === channel &&
        Buffer.compare(read.data, data) === 0 &&
        read.binary === binary &&
        read.pattern === (pattern ?? '')
      );
    }),
  );
  t.pass('all of them');
});

t.test('a batch is its messages, each behind a header of its own, and large ones are split', async (t) => {
  const written: Buffer[] = [];
  const done: (() => void)[] = [];
  const sink = {
    write(message: unknown, callback: () => void) {
      // What grpc-js does with the result of responseSerialize.
      const batch = serializeBatch(message);
      const output = Buffer.allocUnsafe(batch.byteLength + 5);
      output.writeUInt8(0, 0);
      output.writeUInt32BE(batch.byteLength, 1);
      batch.copy(output, 5);
      written.push(output);
      done.push(callback);
      return true;
    },
  };
  const writer = new FramedWriter(sink, () => {});
  writer.add(Buffer.from('one'));
  writer.add(Buffer.from(''));
  writer.add(Buffer.alloc(200_000, 1));
  writer.add(Buffer.alloc(200_000, 2));
  writer.add(Buffer.from('last'));
  await new Promise(setImmediate);
  t.equal(written.length, 1, 'one write at a time');
  t.equal(written[0].length, 5 + 3 + 5 + 2 * 200_005);
  t.same(written[0].subarray(0, 14), Buffer.from('\0\0\0\0\x03one\0\0\0\0\0\0'));
  t.notOk(writer.isIdle);
  done[0]();
  t.same(written[1], Buffer.from('\0\0\0\0\x04last'));
  done[1]();
  t.ok(writer.isIdle);
  t.equal(writer.waiting, 0);
});
