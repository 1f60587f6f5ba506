/**
 * gRPC PublishStream: publishes with counts to 3 local subscribers, all on one stream, window 4096, 64 bytes. The client is a raw
 * HTTP/2 stream that writes prepared messages. The baseline is the claim: 60 thousand publishes a second.
 */
import { connect } from 'node:http2';
import { finish, measureLoad, subscribers } from './lib/api-load.mjs';
import { median, report } from './lib/compare.mjs';
import { startLumesh } from './systems/lumesh.mjs';

const ROUNDS = 3;
const SECONDS = 2;
const WINDOW = 4096;
const BATCH = 64;
const CLAIM = 60_000;

/** A framed PublishRequest { channel, data, id: 1 }. */
function message(channel, data) {
  const body = Buffer.concat([
    Buffer.from([0x0a, channel.length]),
    Buffer.from(channel),
    Buffer.from([0x12, data.length]),
    Buffer.from(data),
    Buffer.from([0x20, 1]),
  ]);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Keeps the window full; each answer is `00 00000004 0803 2001`: success 3, id 1. */
function streamLoad(port) {
  const session = connect(`http://127.0.0.1:${port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/lumesh.v1.Lumesh/PublishStream',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  const answer = Buffer.from([0, 0, 0, 0, 4, 0x08, 3, 0x20, 1]);
  const many = Buffer.concat(Array(BATCH).fill(message('user:1001', 'x'.repeat(64))));
  let received = 0;
  let sent = 0;
  const count = () => Math.floor(received / answer.length);
  const load = { stopped: false, count, underWay: () => sent - count(), close: () => session.destroy() };
  const pump = () => {
    while (!load.stopped && sent + BATCH - count() <= WINDOW) {
      stream.write(many);
      sent += BATCH;
    }
  };
  stream.once('data', (first) => {
    if (!first.subarray(0, answer.length).equals(answer))
      throw new Error(`unexpected answer: ${first.toString('hex')}`);
  });
  stream.on('data', (bytes) => {
    received += bytes.length;
    pump();
  });
  stream.on('error', () => {});
  pump();
  return load;
}

const node = await startLumesh(1);
const [server] = node.servers;
const audience = await subscribers(node, 'user:1001', 3);
const results = [];
let published = 0;
for (let round = 0; round < ROUNDS; round++) {
  const load = streamLoad(node.grpcs[0]);
  await measureLoad(server, 0.5, load.count);
  results.push(await measureLoad(server, SECONDS, load.count));
  published += await finish(load);
}
console.log(`publishes per CPU second: ${median(results.map((result) => result.perCpuSecond)).toFixed(0)}`);
await audience.close(published);
await node.stop();
const perSecond = median(results.map((result) => result.perSecond));
report({
  claim: 'gRPC PublishStream with counts on one stream',
  ours: perSecond,
  baseline: CLAIM,
  ratio: perSecond / CLAIM,
  unit: 'publishes per second',
});
