/**
 * Scripts as they were written for CONNMIX 1.0 (test/node/connmix), copied to two real nodes with a WebSocket and a TCP server each: what
 * their callbacks get, a login through HTTP, Redis, the queue and conn.call, and one channel in both protocols.
 */
import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import type { RunningNode } from '../../src/node.js';
import { claimPort } from '../ports.js';
import { hasRedis, RedisServer } from '../scripting/mix/redis-server.js';
import { Client, post, quietLog, startNode, until } from './cluster.js';

const scripts = fileURLToPath(new URL('./connmix/', import.meta.url));

const redis = new RedisServer(await claimPort());
if (hasRedis) await redis.start();
const asked: unknown[] = [];
const users = createServer((request, response) => {
  const token = new URL(request.url ?? '', 'http://users').searchParams.get('token');
  asked.push([request.url, request.headers['x-caller'], request.headers.cookie]);
  response.statusCode = token === 'wrong' ? 403 : 200;
  response.end(JSON.stringify({ id: Number(token), channels: ['everyone', `user:${token}`] }));
});
await once(users.listen(0, '127.0.0.1'), 'listening');

const lines: { level: string; message: string }[] = [];
const settings = () => {
  const backend = `http://127.0.0.1:${(users.address() as AddressInfo).port}`;
  const server = (protocol: 'websocket' | 'socket', name: string) => ({
    port: 0,
    bind: '127.0.0.1',
    protocol,
    entry: `${scripts}entry.${name}.lua`,
    options: Object.entries({ path: '/chat', backend, name, ...(hasRedis ? { redis: 'cache' } : {}) }).map(
      ([name, value]) => ({ name, value }),
    ),
  });
  return {
    lua: { redis: [{ name: 'cache', addr: redis.addr }] },
    servers: [server('websocket', 'websocket'), server('socket', 'tcp')],
  };
};
const first = await startNode('node-1', settings(), quietLog(lines));
const second = await startNode(
  'node-2',
  { ...settings(), cluster: { seeds: [first.addresses.peers] } },
  quietLog(lines),
);
t.teardown(async () => {
  await Promise.all([first.close(), second.close()]);
  await redis.stop();
  users.close();
  users.closeAllConnections();
});

/** A TCP client of entry.tcp.lua. */
class Packets {
  private bytes = Buffer.alloc(0);
  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
    });
    socket.on('error', () => undefined);
  }
  static async open(node: RunningNode): Promise<Packets> {
    const [host, port] = node.addresses.clients[1]!.split(':');
    const socket = connect(Number(port), host);
    await once(socket, 'connect');
    return new Packets(socket);
  }
  static of(text: string): Buffer {
    return Buffer.concat([Buffer.from([text.length >> 8, text.length & 0xff]), Buffer.from(text)]);
  }
  send(value: unknown): void {
    this.socket.write(Packets.of(JSON.stringify(value)));
  }
  async next(): Promise<string> {
    await until(() => this.bytes.length >= 2 && this.bytes.length >= 2 + this.bytes.readUInt16BE());
    const end = 2 + this.bytes.readUInt16BE();
    const text = this.bytes.subarray(2, end).toString();
    this.bytes = this.bytes.subarray(end);
    return text;
  }
  async ask(value: unknown): Promise<Record<string, unknown>> {
    this.send(value);
    return JSON.parse(await this.next());
  }
  rest(): Buffer {
    return this.bytes;
  }
}

const web = (node: RunningNode) => Client.open(node.addresses.clients[0]!, '/chat?token=a%20b');

/** Consumes a node's queue. */
async function consumer(node: RunningNode): Promise<Client> {
  const client = await Client.open(node.addresses.api, '/ws/v1');
  await client.ask({ m: 'queue.pop', p: { t: ['login', 'closed'] }, i: 1 });
  return client;
}
const queues = [await consumer(first), await consumer(second)] as const;

/** The next item of a queue, as [topic, client id, value]. */
async function popped(queue: Client): Promise<[string, string, Record<string, unknown>]> {
  const event = JSON.parse(await queue.text());
  return [event.p.t, event.p.c, event.p.d];
}

const letIn = (node: RunningNode, client: string, uid: number) =>
  post(node, '/v1/conn/call', { c: client, f: 'set_context_value', a: ['uid', uid] });

t.test('callbacks get what is documented', async (t) => {
  const phone = await web(first);
  const seen = await phone.ask({ op: 'handshake' });
  t.match(seen, {
    client_id: /^\d+$/,
    version: '13',
    lower_case: '13',
    method: 'GET',
    uri: '/chat?token=a%20b',
    protocol: 'HTTP/1.1',
    host: first.addresses.clients[0],
    address: /^127\.0\.0\.1:\d+$/,
  });
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
  phone.send(bytes);
  t.same(await phone.next(), { data: Buffer.from(bytes).reverse(), binary: true });

  const meter = await Packets.open(first);
  t.same(await meter.ask({ op: 'context' }), {
    connected: String(BigInt(seen.client_id as string) + 1n),
    address: `127.0.0.1:${meter.socket.localPort}`,
  });
  const [one, two] = [Packets.of('{"op":"context"}'), Packets.of('{"op":"none"}')];
  const bad = Packets.of('{');
  meter.socket.write(Buffer.concat([bad, one, two.subarray(0, 1)]));
  t.match(await meter.next(), /"connected"/);
  t.equal(meter.rest().length, 0, 'half a packet waits');
  meter.socket.write(two.subarray(1));
  t.equal(await meter.next(), '{}');
  t.match(lines.at(-1), { level: 'warn', message: 'no JSON in a packet of 3 bytes' });
});

t.test(
  'a WebSocket client and a TCP client log in on two nodes and both get one publish, each in its framing',
  async (t) => {
    const [phone, meter, other] = [await web(first), await Packets.open(second), await web(second)];
    t.match(await other.ask({ op: 'login', token: 'wrong' }), { success: false, error: /^status 403 of http:/ });
    t.match(lines.at(-1), { level: 'error', message: /^login: status 403/ });

    phone.send({ op: 'login', token: '7', name: 'Ann' });
    const [topic, phoneId, user] = await popped(queues[0]);
    t.same([topic, user], ['login', { id: 7, channels: 2 }]);
    meter.send({ op: 'login', token: '8', name: 'Bob' });
    const [, meterId, meterUser] = await popped(queues[1]);
    t.same(meterUser, { id: 8, channels: 2 });
    t.match(await other.ask({ op: 'publish', channel: 'everyone', data: 'too early' }), {
      success: 0,
      fail: 0,
      finish: true,
    });
    t.same([phone.rest().length, meter.rest().length], [0, 0], 'both wait for their context');

    t.equal(await letIn(second, phoneId, 1007), '{"E":null,"r":{"s":true}}');
    t.equal(await letIn(first, meterId, 1008), '{"E":null,"r":{"s":true}}');
    t.same(JSON.parse(await phone.text()), { op: 'login', success: true, uid: 1007, queued: 1, name: 'Ann' });
    t.match(JSON.parse(await meter.next()), { op: 'login', success: true, uid: 1008, name: 'Bob' });
    t.same(asked.slice(1), [
      ['/user?token=7', 'websocket', 'session=s1'],
      ['/user?token=8', 'tcp', 'session=s1'],
    ]);

    t.match(await other.ask({ op: 'publish', channel: 'everyone', data: 'Grüße' }), { success: 2, fail: 0 });
    t.same(await phone.next(), { data: Buffer.from('Grüße'), binary: false });
    t.equal(await meter.next(), 'Grüße');
    t.match(await meter.ask({ op: 'publish', channel: 'user:7', data: 'from TCP' }), { success: 1, fail: 0 });
    t.equal(await phone.text(), 'from TCP');
    t.same(await phone.ask({ op: 'send', client_id: meterId, data: 'only you' }), { sent: true });
    t.equal(await meter.next(), 'only you');

    phone.close();
    t.same(await popped(queues[0]), ['closed', phoneId, { client_id: phoneId, kind: 'nil', uid: 1007 }]);
    meter.socket.end();
    t.same(await popped(queues[1]), ['closed', meterId, { client_id: meterId, kind: 'nil', uid: 1008 }]);
    t.match(await other.ask({ op: 'publish', channel: 'everyone', data: 'x' }), { success: 0, fail: 0 });
    t.match(await other.ask({ op: 'send', client_id: phoneId, data: 'x' }), { sent: false, error: /./ });
  },
);

t.test('on_close says why a connection ended', async (t) => {
  const reason = async (end: () => void): Promise<unknown> => {
    end();
    const [topic, client, { client_id, kind, err, uid }] = await popped(queues[0]);
    t.same([topic, client_id, uid], ['closed', client, undefined]);
    return err ?? kind;
  };
  const [cut, closed] = [await web(first), await web(first)];
  t.equal(await reason(() => cut.socket.terminate()), '1006 abnormal closure');
  t.equal(await reason(() => closed.send('{')), 'nil', 'by the script');
  t.match(await closed.closed, { code: 1000 });
  const [reset, refused] = [await Packets.open(first), await Packets.open(first)];
  t.equal(await reason(() => reset.socket.resetAndDestroy()), 'ECONNRESET');
  t.equal(await reason(() => refused.socket.write(Buffer.from([0xff, 0xff]))), 'refused by protocol_input');
});
