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

t.test('what breaks the WebSocket protocol is closed with the code for it', async (t) => {
  const key = 'dGhlIHNhbXBsZSBub25jZQ==';
  const upgrade = `GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: ${key}\r\nSec-WebSocket-Version: 13\r\n\r\n`;
  const cases: readonly [string, number[], number][] = [
    ['an unmasked frame', [0x81, 1, 65], 1002],
    ['a reserved bit', [0xc1, 0x81, 0, 0, 0, 0, 65], 1002],
    ['an unknown opcode', [0x83, 0x80, 0, 0, 0, 0], 1002],
    ['a continuation of nothing', [0x80, 0x80, 0, 0, 0, 0], 1002],
    ['a fragmented ping', [0x09, 0x80, 0, 0, 0, 0], 1002],
    ['text that is not UTF-8', [0x81, 0x81, 0, 0, 0, 0, 0xff], 1007],
    ['a message that is too large', [0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], 1009],
    ['a length below zero', [0x82, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0], 1009],
  ];
  for (const [what, bytes, code] of cases) {
    const client = await tcp(ports[4]);
    client.socket.write(upgrade);
    let head = '';
    while (head === '' || !head.endsWith('\n\n')) head += `${await client.line()}\n`;
    t.match(head, /^HTTP\/1\.1 101 Switching Protocols\n/);
    t.ok(head.includes(createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')));
    client.socket.write(Buffer.from(bytes));
    const close = await client.take(() => 4);
    t.equal(close[0], 0x88, what);
    t.equal(close.readUInt16BE(2), code, what);
    client.socket.destroy();
  }
  for (const [request, status] of [
    ['POST / HTTP/1.1\r\n\r\n', '400'],
    [upgrade.replace('Version: 13', 'Version: 8'), '426'],
    [upgrade.replace('Sec-WebSocket-Key', 'X-Key'), '400'],
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
  t.match(await ask('{"jsonrpc":"2.0","id":"a","method":"nothing"}'), { id: 'a', error: { code: -32601 } });
  t.match(await ask('{"jsonrpc":"2.0","id":2,"method":"subscribe"}'), { id: 2, error: { code: -32602 } });
  t.match(await ask('{"jsonrpc":"2.0","id":2,"method":"publish","params":["c",5]}'), {
    id: 2,
    error: { code: -32602 },
  });
  client.socket.write('{"jsonrpc":"2.0","method":"ping"}\n');
  t.match(
    await ask('{"jsonrpc":"2.0","id":3,"method":"ping"}'),
    { id: 3, result: 'pong' },
    'a notification is not answered',
  );
});
