/** What the links bear: hostile peers, silent ones, stalled ones, taken ports. */
import http2 from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import type { Frame } from '../../src/core/frames.js';
import type { Lane, LinkId } from '../../src/core/ports.js';
import { Dial, PATHS } from '../../src/links/dial.js';
import type { Lanes } from '../../src/links/link.js';
import { DEFAULT_LIMITS, type LinkLimits } from '../../src/links/options.js';
import { proxyTo } from './peer.js';
import { startLinks, type TestNode, until, wake, waking } from './world.js';

interface Heard {
  readonly opens: LinkId[];
  readonly ends: { link: LinkId; end: string; text: string }[];
  readonly frames: { link: LinkId; lane: Lane; frame: Frame }[];
}

async function node(t: Test, name: string, limits: Partial<LinkLimits> = {}): Promise<TestNode & { heard: Heard }> {
  const started = await startLinks(name, { limits });
  t.teardown(() => started.links.closeAll());
  const heard: Heard = { opens: [], ends: [], frames: [] };
  started.links.attach(
    waking({
      opened: (link) => heard.opens.push(link),
      received: (link, lane, frames) => heard.frames.push(...frames.map((frame) => ({ link, lane, frame }))),
      drained: () => {},
      closed: (link, end, text) => heard.ends.push({ link, end, text }),
    }),
  );
  return { ...started, heard };
}

/** A peer that knows the secret and then sends what it likes. */
async function renegade(t: Test, address: string, limits: Partial<LinkLimits> = {}): Promise<Lanes> {
  const bounds = { ...DEFAULT_LIMITS, ...limits };
  const self = { clusterName: 'test', secret: 'a secret', nodeId: 'renegade' };
  return new Promise((resolve, reject) => {
    new Dial(address, self, bounds, null, {
      opened: (_peer, carrier, lanes) => {
        t.teardown(() => {
          carrier.release();
          carrier.sever();
        });
        for (const lane of [lanes.control, lanes.data]) {
          lane.events = { batch: () => {}, sent: () => {}, drained: () => {}, ended: wake };
        }
        resolve(lanes);
      },
      failed: (end, text) => reject(new Error(`${end}: ${text}`)),
    });
  });
}

const never = () => t.fail('a frame was refused at its sender');
const publish = (bytes: number): Frame => ({
  kind: 'publish',
  seq: 1,
  channel: 'c',
  binary: true,
  data: Buffer.alloc(bytes),
});

t.test('a batch that no node sends ends the link it came on, with its reason in the log, and no other', async (t) => {
  const b = await node(t, 'node-b');
  const a = await node(t, 'node-a');
  a.links.dial(b.links.address());
  await until('the proper link is open', () => b.heard.opens.length === 1);
  const bad = await renegade(t, b.links.address());
  await until('the bad link is open', () => b.heard.opens.length === 2);
  bad.data.send([{ kind: 'ping', seq: 1, updates: [] }], never);
  await until('the bad link has ended', () => b.heard.ends.length === 1);
  t.match(b.heard.ends, [{ link: b.heard.opens[1], end: 'reset', text: /a ping frame on the data lane/ }]);
  t.match(
    b.log.lines.filter((line) => line.message === 'peer link ended'),
    [{ fields: { peer: 'renegade', remote: /127\.0\.0\.1/, why: /a ping frame on the data lane/ } }],
  );
  t.equal(b.meter.counts.get('drops_total malformed_batch'), 1);
  b.links.send(b.heard.opens[0], 'data', [publish(3)]);
  await until('the proper link carries on', () => a.heard.frames.length === 1);
});

t.test('a batch over the bound ends the link and is not read', async (t) => {
  const b = await node(t, 'node-b', { maxFrameBytes: 10_000 });
  const bad = await renegade(t, b.links.address());
  await until('the link is open', () => b.heard.opens.length === 1);
  bad.data.send([publish(1_000_000)], never);
  await until('the link has ended', () => b.heard.ends.length === 1);
  t.match(b.heard.ends, [{ end: 'reset' }]);
  t.strictSame(b.heard.frames, []);
});

t.test('a frame over the bound is not sent; it is counted and logged, and the link goes on', async (t) => {
  const a = await node(t, 'node-a', { maxFrameBytes: 10_000 });
  const b = await node(t, 'node-b');
  const link = a.links.dial(b.links.address());
  await until('the link is open', () => a.heard.opens.length + b.heard.opens.length === 2);
  t.ok(a.links.send(link, 'data', [publish(20_000), publish(5)]));
  await until('the small one is there', () => b.heard.frames.length === 1);
  t.equal(a.meter.counts.get('drops_total frame_too_large'), 1);
  t.match(a.log.lines.at(-1), { level: 'error', fields: { peer: 'node-b', kind: 'publish' } });
  t.strictSame(b.heard.ends, []);
});

t.test('whoever connects and says nothing is cut off in time, and the log says so', async (t) => {
  const b = await node(t, 'node-b', { openMs: 30 });
  const [host, port] = b.links.address().split(':');
  const socket = connect(Number(port), host).resume();
  await new Promise((resolve) => socket.once('close', resolve));
  t.match(
    b.log.lines.filter((line) => line.level === 'warn'),
    [{ message: 'peer refused', fields: { why: /not authenticated within 30 ms/ } }],
  );
  t.equal(b.meter.counts.get('drops_total peer_silent'), 1);
});

t.test('a stranger who sends much before it has proved anything is cut off', async (t) => {
  const b = await node(t, 'node-b');
  const session = http2.connect(`http://${b.links.address()}`);
  session.on('error', () => {});
  const stream = session.request({
    ':method': 'POST',
    ':path': PATHS.control,
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.on('error', () => {});
  // The beginning of one long message, which gRPC would wait for to its end.
  const header = Buffer.from([0, 0, 0x80, 0, 0]);
  stream.write(Buffer.concat([header, Buffer.alloc(200_000)]));
  await new Promise((resolve) => session.once('close', resolve));
  t.match(
    b.log.lines.filter((line) => line.level === 'warn'),
    [{ message: 'peer refused', fields: { why: /^\d+ bytes without being authenticated/ } }],
  );
});

t.test('a crowd of silent connections keeps no more places than there are', async (t) => {
  const b = await node(t, 'node-b', { maxOpening: 3 });
  const [host, port] = b.links.address().split(':');
  const closed: number[] = [];
  const crowd = Array.from({ length: 5 }, (_, i) => {
    const socket = connect(Number(port), host).resume();
    socket.on('error', () => {});
    socket.on('close', () => {
      closed.push(i);
      wake();
    });
    return socket;
  });
  t.teardown(() => crowd.forEach((socket) => socket.destroy()));
  await until('two are sent away', () => closed.length === 2);
  t.equal(b.meter.counts.get('drops_total peer_openings'), 2);
});

t.test('a dial to a listener that accepts and never answers ends as unreachable', async (t) => {
  const sockets: Socket[] = [];
  const mute = createServer((socket) => sockets.push(socket));
  t.teardown(() => {
    for (const socket of sockets) socket.destroy();
    mute.close();
  });
  await new Promise<void>((resolve) => mute.listen(0, '127.0.0.1', resolve));
  const a = await node(t, 'node-a', { openMs: 50 });
  a.links.dial(`127.0.0.1:${(mute.address() as AddressInfo).port}`);
  await until('the dial has ended', () => a.heard.ends.length === 1);
  t.match(a.heard.ends, [{ end: 'unreachable', text: 'no answer within 50 ms' }]);
});

t.test('a dial that is given up leaves no connection behind, however far it has come', async (t) => {
  let open = 0;
  let seen = 0;
  const b = await node(t, 'node-b');
  const proxy = createServer((socket) => {
    open++;
    seen++;
    const [host, port] = b.links.address().split(':');
    socket.pipe(connect(Number(port), host).on('error', () => {})).pipe(socket);
    socket.on('error', () => {});
    socket.on('close', () => {
      open--;
      wake();
    });
    wake();
  });
  t.teardown(() => proxy.close());
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const a = await node(t, 'node-a');
  const address = `127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  for (let turns = 0; turns < 12; turns++) {
    const link = a.links.dial(address);
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
    a.links.close(link, 'changed my mind');
  }
  const kept = a.links.dial(address);
  await until('the one that is kept is open', () => a.heard.opens.includes(kept));
  await until('all others are gone', () => open === 2);
  t.ok(seen > 2, 'some had come far enough to be seen');
});

t.test('what is no address is not dialled', async (t) => {
  const a = await node(t, 'node-a');
  const addresses = ['unix:/var/run/some.sock', 'nonsense', '', 'a b:1', 'xds:///x:1', '127.0.0.1'];
  for (const address of addresses) a.links.dial(address);
  await until('all have ended', () => a.heard.ends.length === addresses.length);
  for (const end of a.heard.ends) t.match(end, { end: 'unreachable', text: /no address of the form host:port/ });
});

t.test('a peer that has stalled is noticed by its silence, and its connections are given back', async (t) => {
  const b = await node(t, 'node-b');
  const proxy = await proxyTo(b.links.address());
  t.teardown(() => proxy.close());
  const a = await node(t, 'node-a', { keepaliveMs: 40 });
  a.links.dial(proxy.address);
  await until('the link is open', () => a.heard.opens.length + b.heard.opens.length === 2);
  proxy.freeze();
  await until('the silence is noticed', () => a.heard.ends.length === 1);
  t.match(a.heard.ends, [{ end: 'reset' }]);
});

t.test('a link whose peer reads no more can be closed in bounded time from either side', async (t) => {
  for (const closer of ['dialer', 'listener']) {
    const b = await node(t, 'node-b', { closeMs: 30 });
    const proxy = await proxyTo(b.links.address());
    const a = await node(t, 'node-a', { closeMs: 30 });
    const link = a.links.dial(proxy.address);
    await until('the link is open', () => a.heard.opens.length + b.heard.opens.length === 2);
    proxy.freeze();
    const [links, id] = closer === 'dialer' ? [a.links, link] : [b.links, b.heard.opens[0]];
    while (links.send(id, 'data', [publish(100_000)])) {}
    t.ok(links.queuedBytes(id, 'data') >= DEFAULT_LIMITS.highWaterBytes, 'what waits can be seen');
    t.equal(links.queuedBytes(id, 'control'), 0);
    links.close(id, 'stalled');
    await until('what waited is given up', () => links.queuedBytes(id, 'data') === 0);
    proxy.thaw();
    await until('its connections are gone', () => proxy.open < 4);
    proxy.close();
  }
});

t.test('a port that is taken is named with its address', async (t) => {
  const a = await node(t, 'node-a');
  const port = Number(a.links.address().split(':')[1]);
  await t.rejects(startLinks('node-b', { port }), {
    name: 'MeshError',
    message: `cannot await peers on 127.0.0.1:${port} (cluster.bind, cluster.port): another process listens there. Free it, or set another`,
  });
});

t.test('what happens before the mesh listens is told to it afterwards', async (t) => {
  const b = await startLinks('node-b');
  t.teardown(() => b.links.closeAll());
  const a = await node(t, 'node-a');
  const link = a.links.dial(b.links.address());
  await until('the dialer is open', () => a.heard.opens.length === 1);
  a.links.send(link, 'control', [{ kind: 'pingNack', seq: 1 }]);
  const told: string[] = [];
  b.links.attach(
    waking({
      opened: () => told.push('opened'),
      received: () => told.push('received'),
      drained: () => {},
      closed: () => {},
    }),
  );
  await until('both are told', () => told.length === 2);
  t.strictSame(told, ['opened', 'received']);
});

t.test('links on IPv6 work the same', async (t) => {
  let b: TestNode;
  try {
    b = await startLinks('node-b', { bind: '::1' });
  } catch {
    t.pass('this machine has no IPv6 loopback', { skip: true });
    return;
  }
  t.teardown(() => b.links.closeAll());
  t.match(b.links.address(), /^\[::1\]:\d+$/);
  const a = await node(t, 'node-a');
  a.links.dial(b.links.address());
  await until('the link is open', () => a.heard.opens.length === 1);
});
