import type { MessageTypeDefinition } from '@grpc/proto-loader';
import fc from 'fast-check';
import t from 'tap';
import type { Frame } from '../../src/core/frames.js';
import { BatchWriter, readBatch } from '../../src/wire/batch.js';
import { MalformedBatch } from '../../src/wire/bytes.js';
import type { WireLane } from '../../src/wire/kinds.js';
import { Names } from '../../src/wire/names.js';
import { definitions, ofLane } from './arbitrary.js';

const LANES: readonly WireLane[] = ['control', 'data', 'link'];
const library = definitions['lumesh.peer.Batch'] as unknown as MessageTypeDefinition<object, Record<string, unknown>>;

function write(frames: readonly Frame[], maxBatchBytes = 65536, maxFrameBytes = 1 << 20): Buffer[] {
  const writer = new BatchWriter(maxBatchBytes, maxFrameBytes);
  for (const frame of frames) if (!writer.add(frame)) throw new Error(`${frame.kind} was not taken`);
  const batches: Buffer[] = [];
  for (let batch = writer.take(); batch !== null; batch = writer.take()) batches.push(batch);
  return batches;
}

const read = (bytes: Buffer, lane: WireLane) => readBatch(bytes, lane, new Names(), 1 << 20);
/** A frame as protobuf's library takes and gives it. */
const wrapped = (frame: Frame): object => ({
  [frame.kind]: frame.kind === 'relay' ? { ...frame, frames: frame.frames.map(wrapped) } : frame,
});
const plain = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

t.test('frames of every kind come back as they were sent, in order', async (t) => {
  for (const lane of LANES) {
    const names = new Names();
    fc.assert(
      fc.property(fc.array(ofLane(lane), { maxLength: 30 }), (frames) => {
        const back = write(frames).flatMap((batch) => readBatch(batch, lane, names, 1 << 20));
        t.strictSame(plain(back), plain(frames));
      }),
    );
  }
});

t.test('a relay travels on the lane of the frames in it', async (t) => {
  const frames: Frame[] = [{ kind: 'canary', id: 7 }];
  for (const lane of ['control', 'data'] as const) {
    const relay: Frame = { kind: 'relay', from: 'a', to: 'b', lane, frames: lane === 'data' ? frames : [] };
    t.strictSame(plain(write([relay]).flatMap((batch) => read(batch, lane))), plain([relay]));
  }
});

t.test('batches are cut at frame borders and stay under their bound', async (t) => {
  fc.assert(
    fc.property(fc.array(ofLane('data'), { maxLength: 60 }), fc.integer({ min: 64, max: 900 }), (frames, bound) => {
      const batches = write(frames, bound);
      t.strictSame(plain(batches.flatMap((batch) => read(batch, 'data'))), plain(frames));
      for (const batch of batches) {
        if (batch.length > bound) t.equal(read(batch, 'data').length, 1, 'only a frame that is larger by itself');
      }
    }),
  );
});

t.test('protobuf’s own library reads what we write', async (t) => {
  for (const lane of LANES) {
    fc.assert(
      fc.property(ofLane(lane), (frame) => {
        const [batch] = write([frame]);
        const decoded = library.deserialize(batch) as { frames: Record<string, object>[] };
        const expected = library.deserialize(library.serialize({ frames: [wrapped(frame)] }));
        t.strictSame(plain(decoded), plain(expected));
      }),
    );
  }
});

t.test('we read what protobuf’s own library writes', async (t) => {
  for (const lane of LANES) {
    fc.assert(
      fc.property(fc.array(ofLane(lane), { maxLength: 10 }), (frames) => {
        const bytes = library.serialize({ frames: frames.map(wrapped) });
        t.strictSame(plain(read(bytes, lane)), plain(frames));
      }),
    );
  }
});

t.test('fields of a later version are stepped over', async (t) => {
  // Ping { seq = 5 } with the unknown fields 9 (number), 10 (bytes), 11 (32 bits) and 12 (64 bits).
  const later = [0x48, 1, 0x52, 2, 7, 7, 0x5d, 1, 2, 3, 4, 0x61, 1, 2, 3, 4, 5, 6, 7, 8];
  const publish = Buffer.from([0x08, 5, ...later, 0x12, 1, 0x63]);
  const batch = Buffer.from([0x0a, publish.length + 2, 0x0a, publish.length, ...publish]);
  t.match(read(batch, 'data'), [{ kind: 'publish', seq: 5, channel: 'c' }]);
});

t.test('a cut-off batch is malformed, wherever it is cut, and never anything else', async (t) => {
  fc.assert(
    fc.property(ofLane('data'), fc.nat(), (frame, place) => {
      const [batch] = write([frame]);
      const cut = batch.subarray(0, 1 + (place % (batch.length - 1)));
      t.throws(() => read(cut, 'data'), MalformedBatch);
    }),
  );
});

t.test('random and damaged bytes give frames or MalformedBatch, never another error', async (t) => {
  const safely = (bytes: Buffer, lane: WireLane) => {
    try {
      read(bytes, lane);
    } catch (error) {
      if (!(error instanceof MalformedBatch)) t.fail(`${bytes.toString('hex')}: ${error}`);
    }
  };
  for (const lane of LANES) {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => safely(Buffer.from(bytes), lane)),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(ofLane(lane), fc.nat(), fc.nat(255), (frame, place, value) => {
        const batch = Buffer.from(write([frame])[0]);
        batch[place % batch.length] = value;
        safely(batch, lane);
      }),
      { numRuns: 500 },
    );
  }
});

t.test('what a node would not send is refused with words that name it', async (t) => {
  const one = (frame: object) => library.serialize({ frames: [frame] });
  const cases: [string, Buffer, WireLane, RegExp][] = [
    ['a frame of another lane', one({ ping: { seq: 1 } }), 'data', /a ping frame on the data lane/],
    ['a handshake frame on an open lane', one({ greeting: {} }), 'control', /a greeting frame on the control lane/],
    ['a HELLO without its sender', one({ hello: { digest: 'x' } }), 'control', /hello\.self is missing/],
    ['a member without state', Buffer.from('0a07aa0104120228094a', 'hex'), 'control', /./],
    ['a publish without a channel', one({ publish: { seq: 1 } }), 'data', /without a channel/],
    ['a channel with white space', one({ publish: { channel: 'a b' } }), 'data', /white space/],
    ['counts that are no triples', one({ delivered: { counts: [1, 2] } }), 'data', /no triples/],
    ['an unknown frame', Buffer.from([0x0a, 3, 0xf2, 0x03, 0]), 'control', /frame 62 is unknown/],
    ['a number over 2^53', Buffer.from('0a0b0a09080fffffffffffffff', 'hex'), 'data', /./],
    ['a relay in a relay', one({ relay: { frames: [{ relay: {} }] } }), 'control', /relay: a relay frame in it/],
    ['an empty frame', Buffer.from([0x0a, 0]), 'data', /./],
  ];
  for (const [what, bytes, lane, words] of cases) {
    t.throws(() => read(bytes, lane), { name: 'MalformedBatch', message: words }, what);
  }
  const unknownState = one({ hello: { self: { state: 77 } } });
  t.throws(() => read(unknownState, 'control'), { message: /hello\.self\.state has the unknown value 77/ });
});

t.test('a frame over the bound is not taken, and one that arrives is refused', async (t) => {
  const writer = new BatchWriter(1000, 500);
  const publish = { kind: 'publish', seq: 1, channel: 'c', binary: true, data: Buffer.alloc(600) } as const;
  t.notOk(writer.add(publish));
  t.equal(writer.bytes, 0);
  t.equal(writer.take(), null);
  const [batch] = write([publish]);
  t.throws(() => readBatch(batch, 'data', new Names(), 500), { message: /a frame of \d+ bytes/ });
});

t.test('a frame as large as a payload may be travels alone in its batch', async (t) => {
  const data = Buffer.alloc(300_000, 7);
  const small = { kind: 'publish', seq: 1, channel: 'c', binary: true, data: Buffer.from('x') } as const;
  const batches = write([small, { ...small, seq: 2, data }, { ...small, seq: 3 }]);
  t.equal(batches.length, 3);
  t.strictSame(
    batches.flatMap((batch) => read(batch, 'data')).map((frame) => (frame as typeof small).data.length),
    [1, 300_000, 1],
  );
});

t.test('a cut separates what was added before from what comes after', async (t) => {
  const writer = new BatchWriter(1000, 500);
  writer.add({ kind: 'canary', id: 1 });
  writer.cut();
  writer.cut();
  writer.add({ kind: 'canary', id: 2 });
  t.match(read(writer.take()!, 'data'), [{ id: 1 }]);
  t.match(read(writer.take()!, 'data'), [{ id: 2 }]);
  t.equal(writer.take(), null);
  t.equal(writer.bytes, 0);
});

t.test('the same channel comes back as the same text, also when two share a slot', async (t) => {
  const names = new Names();
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 10_000; i++) {
      const bytes = Buffer.from(`channel:${i}`);
      if (names.read(bytes, 0, bytes.length) !== `channel:${i}`) t.fail(`channel:${i}`);
    }
  }
});
