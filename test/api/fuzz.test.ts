/** Random input on every door of the API: always the contract's error, never a crash or a hang, and others are still served. */
import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import fc from 'fast-check';
import t from 'tap';
import { ERRORS } from '../../src/errors.js';
import { type Client, type Live, live } from './live.js';

const CODES = new Set<number>(Object.values(ERRORS).map(({ code }) => code));
const RUNS = 300;

const hugeNumber = fc.constantFrom(1e308, -1e308, 2 ** 53, 2 ** 64, 5e-324, -0);
const value = fc.oneof(fc.jsonValue({ maxDepth: 4 }), hugeNumber, fc.string({ unit: 'binary', maxLength: 40 }));
const likely = fc.constantFrom<unknown>('c', 'user:1', '6442450944000000001', 2 ** 62, 'text', 'binary', 'close', []);
const params = fc.record(
  {
    c: fc.oneof(likely, value),
    d: fc.oneof(likely, value),
    t: fc.oneof(likely, value),
    f: fc.oneof(likely, value),
    a: value,
  },
  { requiredKeys: [] },
);

/** What a call may be answered with: a result, or an error of the table. */
function isAnswer(text: string): boolean {
  const answer = JSON.parse(text);
  if (answer.E === null) return 'r' in answer;
  return CODES.has(answer.E?.c) && answer.E.c !== 500 && typeof answer.E.m === 'string' && answer.E.m !== '';
}

async function stillServes({ answer }: Live): Promise<boolean> {
  const [status] = await answer('/v1/mesh/publish', { c: 'c', d: 'x' });
  return status === 200;
}

t.test('random parameters over HTTP', async (t) => {
  const running = await live(t);
  const paths = ['/v1/mesh/publish', '/v1/mesh/send', '/v1/conn/call', '/v1/mesh/broadcast'];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...paths), fc.oneof(params, value), async (path, body) => {
      const [status, text] = await running.answer(path, body);
      return isAnswer(text) && (status === 200) === (JSON.parse(text).E === null);
    }),
    { numRuns: RUNS },
  );
  t.ok(await stillServes(running));
});

t.test('random bytes as an HTTP body', async (t) => {
  const running = await live(t);
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), async (bytes) => {
      const response = await fetch(`${running.url}/v1/mesh/publish`, { method: 'POST', body: bytes });
      return response.status === 400 && isAnswer(await response.text());
    }),
    { numRuns: RUNS },
  );
  t.ok(await stillServes(running));
});

t.test('random calls and texts on the WebSocket API', async (t) => {
  const running = await live(t);
  const client = await running.socket();
  const methods = [
    'mesh.publish',
    'mesh.send',
    'conn.call',
    'mesh.broadcast',
    'queue.unpop',
    'queue.ack',
    'nodes',
    'channel',
    'version',
  ];
  const message = fc.record({ m: fc.oneof(fc.constantFrom(...methods), value), p: fc.oneof(params, value), i: value });
  const text = fc.oneof(
    message.map((m) => JSON.stringify(m)),
    fc.string({ unit: 'binary' }),
    fc.json(),
  );
  await fc.assert(
    fc.asyncProperty(text, async (sent) => (sent === 'ping' ? true : isAnswer(await client.ask(sent)))),
    { numRuns: RUNS },
  );
  t.equal(await client.ask('ping'), 'pong');
});

t.test('random topics and channels of a connection', async (t) => {
  const running = await live(t);
  await fc.assert(
    fc.asyncProperty(fc.oneof(value, fc.array(fc.string(), { maxLength: 5 })), async (list) => {
      const client: Client = await running.socket();
      const answers = [
        await client.ask({ m: 'queue.pop', p: { t: list } }),
        await client.ask({ m: 'mesh.subscribe', p: { c: list } }),
        await client.ask({ m: 'mesh.psubscribe', p: { p: list } }),
      ];
      client.ws.terminate();
      return answers.every(isAnswer);
    }),
    { numRuns: 60 },
  );
  t.ok(await stillServes(running));
});

t.test('binary frames of random bytes on the WebSocket API', async (t) => {
  const running = await live(t);
  const client = await running.socket();
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 5, maxLength: 300 }), async (bytes) => {
      client.ws.send(bytes, { binary: true });
      return isAnswer(await client.next());
    }),
    { numRuns: RUNS },
  );
});

/** Bytes on a port; resolves when the server closed, or after it has had several turns to fall over them. */
async function throwAt(port: number, bytes: Uint8Array): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  socket.write(bytes);
  for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
  socket.destroy();
}

t.test('random bytes on the API port and on the gRPC port', async (t) => {
  const running = await live(t);
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const upgrade = Buffer.from(
    'GET /ws/v1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n\r\n',
  );
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 500 });
  const start = fc.constantFrom(Buffer.alloc(0), preface, upgrade);
  await fc.assert(
    fc.asyncProperty(start, bytes, async (head, rest) => {
      await throwAt(running.api.httpPort, Buffer.concat([head, rest]));
      await throwAt(running.api.grpcPort, Buffer.concat([head, rest]));
    }),
    { numRuns: 100 },
  );
  t.ok(await stillServes(running));
});

t.test('random bytes as gRPC messages end with a status of the contract', async (t) => {
  const { api } = await live(t);
  const session = connectHttp2(`http://127.0.0.1:${api.grpcPort}`);
  t.teardown(() => session.destroy());
  // OK, INVALID_ARGUMENT, NOT_FOUND, RESOURCE_EXHAUSTED, UNIMPLEMENTED (compressed), INTERNAL (cut off).
  const expected = new Set(['0', '3', '5', '8', '12', '13']);
  const methods = ['Publish', 'PublishStream', 'Send'];
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...methods),
      fc.uint8Array({ maxLength: 80 }),
      fc.boolean(),
      async (method, body, framed) => {
        const stream = session.request({
          ':method': 'POST',
          ':path': `/lumesh.v1.Lumesh/${method}`,
          'content-type': 'application/grpc',
          te: 'trailers',
        });
        let status: string | undefined;
        stream.on('response', (headers) => {
          status ??= headers['grpc-status'] as string | undefined;
        });
        stream.on('trailers', (headers) => {
          status ??= headers['grpc-status'] as string | undefined;
        });
        const frame = Buffer.alloc(5);
        frame.writeUInt32BE(body.length, 1);
        stream.resume();
        // A message that is cut off never becomes one: such a call is the client's to end.
        if (framed) stream.end(Buffer.concat([frame, body]));
        else stream.end(body, () => stream.close());
        await once(stream, 'close');
        return status === undefined ? !framed : expected.has(status);
      },
    ),
    { numRuns: 150 },
  );
});
