/** The protocols that ship, on a real node: clients of five kinds of servers on one channel, each in its own framing. */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { WebSocket } from 'ws';
import { createNode } from '../../src/index.js';

const lua = join(dirname(fileURLToPath(import.meta.url)), '../../lua');
const socket = (entry: string) => ({
  port: 0,
  bind: '127.0.0.1',
  protocol: 'socket' as const,
  entry: join(lua, entry),
});

const node = await createNode({
  cluster: { port: 0 },
  api: { port: 0, grpcPort: 0 },
  logging: { level: 'error' },
  drainSeconds: 0,
  servers: [
    { port: 0, bind: '127.0.0.1', entry: join(lua, 'entry.websocket.lua') },
    socket('entry.socket.lua'),
    socket('entry.jsonrpc.lua'),
    socket('entry.length.lua'),
    socket('entry.websocket-in-lua.lua'),
  ],
});
t.teardown(() => node.close());
const ports = node.addresses.clients.map((address) => Number(address.split(':').at(-1)));

/** What comes in on a socket, read up to a delimiter or by count. */
class Reader {
  private bytes = Buffer.alloc(0);
  private more: (() => void) | undefined;
  constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.more?.();
    });
  }
  async take(size: () => number): Promise<Buffer> {
    while (size() <= 0 || this.bytes.length < size()) {
      await new Promise<void>((resolve) => {
        this.more = resolve;
      });
    }
    const count = size();
    const taken = this.bytes.subarray(0, count);
    this.bytes = this.bytes.subarray(count);
    return taken;
  }
  /** Bytes that came and were not taken. */
  get left(): number {
    return this.bytes.length;
  }
  async line(): Promise<string> {
    return (await this.take(() => this.bytes.indexOf(10) + 1)).toString().trimEnd();
  }
  async packet(): Promise<Buffer> {
    const head = await this.take(() => 4);
    return this.take(() => head.readUInt32BE(0));
  }
}

async function tcp(port: number): Promise<Reader> {
  const client = connect(port, '127.0.0.1');
  t.teardown(() => client.destroy());
  await once(client, 'connect');
  return new Reader(client);
}
async function websocket(port: number): Promise<WebSocket> {
  const client = new WebSocket(`ws://127.0.0.1:${port}/`);
  t.teardown(() => client.terminate());
  await once(client, 'open');
  return client;
}
async function message(client: WebSocket): Promise<{ text: string; binary: boolean; bytes: Buffer }> {
  const [bytes, binary] = await once(client, 'message');
  return { text: bytes.toString(), binary, bytes };
}
const packet = (text: string) => {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(Buffer.byteLength(text));
  return Buffer.concat([head, Buffer.from(text)]);
};

t.test('one publish reaches five kinds of clients, each in its own framing', async (t) => {
  const plain = await websocket(ports[0]);
  const inLua = await websocket(ports[4]);
  const [lines, rpc, lengths] = await Promise.all([tcp(ports[1]), tcp(ports[2]), tcp(ports[3])]);
  plain.send('{"op":"subscribe","channel":"news"}');
  t.same(JSON.parse((await message(plain)).text), { op: 'subscribe', channel: 'news', success: true });
  inLua.send('news');
  t.equal((await message(inLua)).text, 'subscribed');
  lines.socket.write('subscribe news\r\n');
  t.equal(await lines.line(), 'ok');
  rpc.socket.write('{"jsonrpc":"2.0","id":1,"method":"subscribe","params":["news"]}\n');
  t.same(JSON.parse(await rpc.line()), { jsonrpc: '2.0', id: 1, result: true });
  lengths.socket.write(packet('snews'));
  t.equal((await lengths.packet()).toString(), 's');

  const arrived = Promise.all([message(plain), message(inLua), lines.line(), rpc.line(), lengths.packet()]);
  const result = await node.publish('news', 'Hello, World!');
  t.match(result, { success: 5, fail: 0 });
  const [first, second, third, fourth, fifth] = await arrived;
  t.match(first, { text: 'Hello, World!', binary: false });
  t.match(second, { text: 'Hello, World!', binary: false });
  t.equal(third, 'Hello, World!');
  t.equal(fourth, 'Hello, World!');
  t.equal(fifth.toString(), 'Hello, World!');

  lengths.socket.write(packet('pnews\nfrom a device'));
  t.same((await lengths.packet()).toString(), 'from a device');
  t.same((await lengths.packet()).subarray(1), Buffer.from([0, 0, 0, 5, 0, 0, 0, 0]));
});

t.test(
  'thousands of lines in one write are thousands of packets; a line that is too long ends the connection',
  async (t) => {
    const lines = await tcp(ports[1]);
    lines.socket.write(
      `${Array.from({ length: 3000 }, (_, n) => `publish nobody:${n} x`).join('\n')}\n${'y'.repeat(600)}\n`,
    );
    for (let n = 0; n < 3000; n++) {
      const answer = await lines.line();
      if (answer !== 'success 0 fail 0') t.fail(`answer ${n} is ${answer}`);
    }
    t.match(await lines.line(), /^error expected/, 'a line of 600 bytes');
    lines.socket.on('error', () => undefined);
    lines.socket.write('z'.repeat(70_000));
    await once(lines.socket, 'close');
  },
);

t.test('a publish that a framing refuses counts as failed for that client', async (t) => {
  const lines = await tcp(ports[1]);
  lines.socket.write('subscribe breaks\n');
  t.equal(await lines.line(), 'ok');
  t.match(await node.publish('breaks', 'two\nlines'), { success: 0, fail: 1 });
});

t.test('a WebSocket server in Lua keeps to the protocol', async (t) => {
  const client = await websocket(ports[4]);
  const binary = Buffer.from(Array.from({ length: 7000 }, (_, i) => i % 256));
  for (const size of [0, 1, 125, 126, 127, 7000]) {
    client.send(binary.subarray(0, size));
    const { bytes, binary: isBinary } = await message(client);
    t.ok(bytes.equals(binary.subarray(0, size)), `${size} bytes`);
    t.equal(isBinary, true);
  }
  const long = Buffer.alloc(60_000, 'a');
  client.send(long);
  t.ok((await message(client)).bytes.equals(long), '16-bit length');

  client.send(binary.subarray(0, 10), { fin: false });
  client.send(binary.subarray(10, 20), { fin: false });
  client.ping('between');
  const [pong] = await once(client, 'pong');
  t.equal(pong.toString(), 'between', 'a ping between fragments is answered');
  client.send(binary.subarray(20, 30), { fin: true });
  t.ok((await message(client)).bytes.equals(binary.subarray(0, 30)), 'fragments are put together');

  client.close(1000, 'bye');
  const [code] = await once(client, 'close');
  t.equal(code, 1000);
});

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const UPGRADE = `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n`;

/** A client that has upgraded by hand, for frames that no library sends. */
async function upgraded(): Promise<Reader> {
  const client = await tcp(ports[4]);
  client.socket.write(UPGRADE);
  let head = '';
  while (head === '' || !head.endsWith('\n\n')) head += `${await client.line()}\n`;
  t.match(head, /^HTTP\/1\.1 101 Switching Protocols\n/);
  t.ok(head.includes(createHash('sha1').update(`${KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')));
  return client;
}
/** A short frame with a mask of zeros. */
const masked = (first: number, payload: readonly number[] | string): number[] => {
  const bytes = [...Buffer.from(payload as string)];
  return [first, 0x80 | bytes.length, 0, 0, 0, 0, ...bytes];
};

t.test('a WebSocket server in Lua takes frames however they are cut and gathered', async (t) => {
  const client = await upgraded();
  const binary = (n: number) => masked(0x82, String(n).padStart(5, '0'));
  client.socket.write(Buffer.from(Array.from({ length: 3000 }, (_, n) => binary(n)).flat()));
  for (let n = 0; n < 3000; n++) {
    const answer = await client.take(() => 7);
    if (answer.toString('latin1', 2) !== String(n).padStart(5, '0')) t.fail(`answer ${n} is ${answer}`);
  }
  client.socket.setNoDelay(true);
  for (const byte of [...masked(0x02, 'by '), ...masked(0x00, ''), ...masked(0x80, 'bytes')]) {
    client.socket.write(Buffer.from([byte]));
    await new Promise(setImmediate);
  }
  t.equal((await client.take(() => 10)).toString('latin1', 2), 'by bytes');
  // "ä" is C3 A4: a character may be cut by fragments.
  client.socket.write(Buffer.from([...masked(0x01, [0x64, 0xc3]), ...masked(0x80, [0xa4])]));
  t.equal((await client.take(() => 12)).toString('utf8', 2), 'subscribed');
  t.match(await node.publish('dä', 'x'), { success: 1 });
});

t.test('a WebSocket server in Lua answers a close with the same code and takes nothing behind it', async (t) => {
  for (const [payload, answer] of [
    [[], [0x88, 0]],
    [
      [0x03, 0xe8],
      [0x88, 2, 0x03, 0xe8],
    ],
    [
      [0x0b, 0xb8, 0x62, 0x79, 0x65],
      [0x88, 2, 0x0b, 0xb8],
    ],
  ] as const) {
    const client = await upgraded();
    client.socket.write(Buffer.from([...masked(0x88, payload), ...masked(0x89, 'ping'), ...masked(0x82, 'x')]));
    t.same([...(await client.take(() => answer.length))], answer);
    await once(client.socket, 'end');
    t.equal(client.left, 0, 'nothing behind the close');
  }
});

t.test('what breaks the WebSocket protocol is closed with the code for it', async (t) => {
  const cases: readonly [string, number[], number][] = [
    ['an unmasked frame', [0x81, 1, 65], 1002],
    ['a reserved bit', [0xc1, 0x81, 0, 0, 0, 0, 65], 1002],
    ['an unknown opcode', [0x83, 0x80, 0, 0, 0, 0], 1002],
    ['a continuation of nothing', [0x80, 0x80, 0, 0, 0, 0], 1002],
    ['a fragmented ping', [0x09, 0x80, 0, 0, 0, 0], 1002],
    ['a message within another', [...masked(0x01, 'a'), ...masked(0x81, 'b')], 1002],
    ['a ping that is too long', [0x89, 0xfe, 0, 126, 0, 0, 0, 0, ...Array(126).fill(65)], 1002],
    ['text that is not UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007],
    ['a surrogate in text', masked(0x81, [0xed, 0xa0, 0x80]), 1007],
    ['fragments that are not UTF-8', [...masked(0x01, [0xc3]), ...masked(0x80, [0x28])], 1007],
    ['a close code of one byte', masked(0x88, [3]), 1002],
    ...[0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535].map((code): [string, number[], number] => [
      `close code ${code}`,
      masked(0x88, [code >> 8, code & 255]),
      1002,
    ]),
    ['a reason that is not UTF-8', masked(0x88, [3, 0xe8, 0xff]), 1007],
    ['too many fragments', [...masked(0x02, ''), ...Array(4096).fill(masked(0, '')).flat()], 1009],
    ['a message that is too large', [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 1009],
    ['a length below zero', [0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0], 1009],
  ];
  for (const [what, bytes, code] of cases) {
    const client = await upgraded();
    client.socket.write(Buffer.from(bytes));
    const close = await client.take(() => 4);
    t.equal(close[0], 0x88, what);
    t.equal(close.readUInt16BE(2), code, what);
    client.socket.destroy();
  }
  for (const [request, status] of [
    ['POST / HTTP/1.1\r\n\r\n', '400'],
    [UPGRADE.replace('Version: 13', 'Version: 8'), '426'],
    [UPGRADE.replace('Sec-WebSocket-Key', 'X-Key'), '400'],
    [UPGRADE.replace(KEY, 'c2hvcnQ='), '400'],
    [UPGRADE.replace('Connection: Upgrade', 'Connection: close'), '400'],
  ]) {
    const client = await tcp(ports[4]);
    client.socket.write(request);
    t.match(await client.line(), new RegExp(`^HTTP/1.1 ${status} `));
  }
});

t.test('JSON-RPC answers what it cannot do with the error of the specification', async (t) => {
  const client = await tcp(ports[2]);
  const ask = async (line: string): Promise<{ error?: { code: number }; result?: unknown; id: unknown }> => {
    client.socket.write(`${line}\n`);
    return JSON.parse(await client.line());
  };
  t.match(await ask('{'), { id: null, error: { code: -32700 } });
  t.match(await ask('[1]'), { id: null, error: { code: -32600 } });
  t.match(await ask('{"id":7,"method":"ping"}'), { id: 7, error: { code: -32600 } }, 'without a version');
  t.match(await ask('{"jsonrpc":"2.0","id":{},"method":"ping"}'), { id: null, error: { code: -32600 } });
  t.match(await ask('{"jsonrpc":"2.0","id":"a","method":"nothing"}'), { id: 'a', error: { code: -32601 } });
  t.match(await ask('{"jsonrpc":"2.0","id":2,"method":"subscribe"}'), { id: 2, error: { code: -32602 } });
  t.match(await ask('{"jsonrpc":"2.0","id":2,"method":"publish","params":["c",5]}'), {
    id: 2,
    error: { code: -32602 },
  });
  client.socket.write('{"jsonrpc":"2.0","method":"ping"}\n{"jsonrpc":"2.0","method":"nothing"}\n');
  t.match(
    await ask('{"jsonrpc":"2.0","id":3,"method":"ping"}'),
    { id: 3, result: 'pong' },
    'a notification is not answered',
  );
});
