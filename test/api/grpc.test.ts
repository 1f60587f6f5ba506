import { once } from 'node:events';
import { connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { protoPath as healthProto } from 'grpc-health-check';
import t, { type Test } from 'tap';
import { accessOf, type LiveOptions, live } from './live.js';
import { lumeshClient, subscribe } from './lumesh-client.js';

const definition = loadSync(healthProto, { longs: String, enums: String, defaults: true });
const Health = grpc.makeGenericClientConstructor(
  definition['grpc.health.v1.Health'] as grpc.ServiceDefinition,
  'Health',
);
const CLIENT = '6442450944000000001';

async function grpcLive(t: Test, options: LiveOptions = {}) {
  const running = await live(t, options);
  const address = `127.0.0.1:${running.api.grpcPort}`;
  const client = lumeshClient(address);
  const health = new Health(address, grpc.credentials.createInsecure());
  t.teardown(() => {
    client.close();
    health.close();
  });
  return { ...running, client, health, address };
}

interface Reply {
  success: string;
  fail: string;
  unconfirmed: string[];
  id: string;
  error: { code: number; message: string; retryAfterMs: string } | null;
}

function unary(client: grpc.Client, method: string, request: object, metadata = new grpc.Metadata(), options = {}) {
  return new Promise<Reply>((resolve, reject) => {
    const call = (client as unknown as Record<string, (...args: unknown[]) => void>)[method];
    call.call(client, request, metadata, options, (error: Error | null, reply: Reply) =>
      error === null ? resolve(reply) : reject(error),
    );
  });
}

function stream(client: grpc.Client, metadata = new grpc.Metadata()): grpc.ClientDuplexStream<object, Reply> {
  return (
    client as unknown as { publishStream(m: grpc.Metadata): grpc.ClientDuplexStream<object, Reply> }
  ).publishStream(metadata);
}

t.test('a publish is answered with its counts and the nodes that did not confirm', async (t) => {
  const { client, mesh } = await grpcLive(t);
  mesh.result = { success: 3, fail: 1, unconfirmed: ['node-2'] };
  const reply = await unary(client, 'publish', { channel: 'c', data: Buffer.from([0, 255]), binary: true });
  t.match(reply, { success: '3', fail: '1', unconfirmed: ['node-2'] });
  t.match(mesh.published[0], { channel: 'c', binary: true });
  t.same([...mesh.published[0].data], [0, 255]);
});

t.test('errors have the status of the table and their number as a trailer', async (t) => {
  const { client, mesh } = await grpcLive(t);
  const refused = async (method: string, request: object) => {
    const error = (await unary(client, method, request).catch((e) => e)) as grpc.ServiceError;
    return [grpc.status[error.code], error.metadata.get('lumesh-code')[0], error.details];
  };
  t.same(await refused('publish', { channel: 'a b' }), [
    'INVALID_ARGUMENT',
    '101',
    'a channel must not contain white space or control characters: "a b"',
  ]);
  t.match(await refused('publish', { channel: 'a', data: Buffer.from([0xff]) }), ['INVALID_ARGUMENT', '101', /UTF-8/]);
  t.match(await refused('send', { clientId: 'x' }), ['INVALID_ARGUMENT', '101']);
  mesh.outcome = { ok: false, reason: 'no_connection', text: 'gone' };
  t.match(await refused('send', { clientId: CLIENT }), ['NOT_FOUND', '401', 'gone']);
  mesh.refusal = 'joining';
  t.match(await refused('publish', { channel: 'a' }), ['RESOURCE_EXHAUSTED', '104', 'joining']);
  mesh.reasons = ['joining'];
  t.match(await refused('publish', { channel: 'a' }), ['UNAVAILABLE', '104', 'joining']);
  t.match(await refused('publish', { channel: 'a', data: Buffer.alloc(2_000_000) }), ['RESOURCE_EXHAUSTED']);
});

t.test('a send reaches its client', async (t) => {
  const { client, mesh } = await grpcLive(t);
  await unary(client, 'send', { clientId: CLIENT, data: Buffer.from('hi') });
  t.same(mesh.sent, [{ clientId: CLIENT, text: 'hi', binary: false }]);
});

t.test('a stream answers every publish once, in order, with its 64-bit id, errors included', async (t) => {
  const { client, mesh } = await grpcLive(t);
  mesh.held = [];
  const call = stream(client);
  const ids = ['1', '18446744073709551615', '0', '9007199254740993'];
  for (const id of ids) call.write({ channel: 'c', data: Buffer.from('x'), id });
  call.write({ channel: 'bad channel', id: '5' });
  call.end();
  while (mesh.held.length < ids.length) await new Promise(setImmediate);
  for (const answer of mesh.held.reverse()) answer();
  const replies: Reply[] = [];
  for await (const reply of call) replies.push(reply);
  t.same(
    replies.map((reply) => reply.id),
    [...ids, '5'],
  );
  t.match(replies[4].error, { code: 101, message: /white space/ });
  t.equal(replies[0].error, null);
});

t.test('a long stream arrives whole and in order while the client reads slowly', async (t) => {
  const { client, mesh } = await grpcLive(t);
  mesh.result = { success: 2, fail: 0, unconfirmed: [] };
  const call = stream(client);
  const total = 10_000;
  let next = 0;
  const pump = () => {
    while (next < total && call.write({ channel: `c${next % 7}`, data: Buffer.from('x'), id: String(next++) }));
    if (next === total) call.end();
    else call.once('drain', pump);
  };
  pump();
  let expected = 0;
  for await (const reply of call) {
    if (reply.id !== String(expected) || reply.success !== '2') t.fail(`reply ${expected} is ${JSON.stringify(reply)}`);
    if (++expected % 1_000 === 0) await new Promise(setImmediate);
  }
  t.equal(expected, total);
});

t.test('a stream that is not read stops being read by the server', async (t) => {
  const { client, mesh } = await grpcLive(t);
  mesh.held = [];
  const call = stream(client);
  let sent = 0;
  const pump = () => {
    while (sent < 20_000 && call.write({ channel: 'c', id: String(sent++) }));
    if (sent < 20_000) call.once('drain', pump);
  };
  pump();
  while (mesh.held.length < 8192) await new Promise(setImmediate);
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
  t.ok(mesh.held.length < 12_000, `${mesh.held.length} under way`);
  let answered = 0;
  call.on('data', () => answered++);
  while (answered < 20_000) {
    for (const answer of mesh.held.splice(0)) answer();
    await new Promise(setImmediate);
  }
  t.equal(answered, 20_000);
  call.cancel();
  call.on('error', () => {});
});

t.test('a subscribed back end gets messages after its metadata arrived, and leaves when it cancels', async (t) => {
  const { client, mesh } = await grpcLive(t);
  const call = subscribe(client, ['a', 'b']);
  call.on('error', () => {});
  await new Promise((resolve) => call.once('metadata', resolve));
  const reply = await unary(client, 'publish', { channel: 'b', data: Buffer.from('hé') });
  t.equal(reply.success, '1');
  const message = await new Promise<{ channel: string; data: Buffer; binary: boolean }>((r) => call.once('data', r));
  t.match(message, { channel: 'b', binary: false });
  t.equal(message.data.toString(), 'hé');
  call.cancel();
  while (mesh.subscribers.get('a')?.size) await new Promise(setImmediate);
  t.equal(mesh.subscribers.get('b')?.size, 0);
});

t.test('a back end subscribes to channels and patterns at once, and learns by which a message came', async (t) => {
  const { client, mesh } = await grpcLive(t);
  const known: (() => void)[] = [];
  const { subscribe: now } = mesh;
  mesh.subscribe = (...subscribed) => void known.push(() => now.apply(mesh, subscribed));
  const call = subscribe(client, ['room.1'], undefined, ['room.*', '*.1']);
  call.on('error', () => {});
  const metadata = once(call, 'metadata');
  let told = false;
  call.once('metadata', () => {
    told = true;
  });
  while (known.length < 3) await new Promise(setImmediate);
  known.pop()!();
  known.pop()!();
  await unary(client, 'publish', { channel: 'elsewhere', data: Buffer.from('x') });
  t.notOk(told, 'the mesh does not know of all');
  known.pop()!();
  await metadata;
  const messages: unknown[] = [];
  const three = new Promise<void>((resolve) => {
    call.on('data', ({ channel, pattern }) => {
      if (messages.push([channel, pattern]) === 3) resolve();
    });
  });
  t.match(await unary(client, 'publish', { channel: 'room.1', data: Buffer.from('x') }), { success: '3' });
  await three;
  t.same(messages.sort(), [
    ['room.1', ''],
    ['room.1', '*.1'],
    ['room.1', 'room.*'],
  ]);
  call.cancel();
  const subscribed = () => [...mesh.subscribers.values()].reduce((sum, { size }) => sum + size, 0);
  while (subscribed() > 0) await new Promise(setImmediate);
});

t.test('a subscribed back end that does not read is ended and counted', async (t) => {
  const { client, mesh, api } = await grpcLive(t, { api: { maxBackpressureBytes: 1_000_000 } });
  // Not a gRPC client: those read on their own account.
  const session = connectHttp2(`http://127.0.0.1:${api.grpcPort}`);
  t.teardown(() => session.destroy());
  const slow = session.request({
    ':method': 'POST',
    ':path': '/lumesh.v1.Lumesh/Subscribe',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  slow.pause();
  slow.end(Buffer.from([0, 0, 0, 0, 3, 0x0a, 1, 0x61]));
  await once(slow, 'response');
  const data = Buffer.alloc(100_000);
  let failed = '0';
  for (let i = 0; i < 100 && failed === '0'; i++) {
    failed = (await unary(client, 'publish', { channel: 'a', data, binary: true })).fail;
  }
  t.equal(failed, '1');
  t.equal(mesh.counted.get('drops_total/slow_back_end'), 1);
  while (mesh.subscribers.get('a')?.size) await new Promise(setImmediate);
  slow.resume();
  const [trailers] = await once(slow, 'trailers');
  t.equal(Number(trailers['grpc-status']), grpc.status.RESOURCE_EXHAUSTED);
});

t.test('a subscription without channels, or one the mesh does not confirm, ends with its status', async (t) => {
  const { client, mesh } = await grpcLive(t);
  const ended = (channels: string[], patterns: string[] = []) =>
    new Promise<grpc.ServiceError>((resolve) => {
      const call = subscribe(client, channels, undefined, patterns);
      call.on('error', (error) => resolve(error as grpc.ServiceError));
      call.on('data', () => {});
    });
  t.equal((await ended([])).code, grpc.status.INVALID_ARGUMENT);
  t.match(await ended(['a'], ['b *']), { code: grpc.status.INVALID_ARGUMENT, details: /a pattern must not contain/ });
  t.equal((await ended(['a b'], ['b*'])).code, grpc.status.INVALID_ARGUMENT);
  mesh.subscribeOutcome = { ok: false, reason: 'timeout' };
  t.equal((await ended(['a'])).code, grpc.status.UNAVAILABLE);
  t.equal((await ended([], ['a*'])).code, grpc.status.UNAVAILABLE);
  while ([...mesh.subscribers.values()].some(({ size }) => size > 0)) await new Promise(setImmediate);
});

t.test('a deadline ends a call that the mesh does not answer in time', async (t) => {
  const { client, mesh } = await grpcLive(t);
  mesh.held = [];
  const call = unary(client, 'publish', { channel: 'c' }, new grpc.Metadata(), { deadline: Date.now() + 50 });
  await t.rejects(call, { code: grpc.status.DEADLINE_EXCEEDED });
  for (const answer of mesh.held) answer();
  mesh.held = null;
  t.match(await unary(client, 'publish', { channel: 'c' }), { success: '0' });
});

t.test('a deadline ends a subscription on the server, whatever the client does', async (t) => {
  const { api, mesh } = await grpcLive(t);
  const session = connectHttp2(`http://127.0.0.1:${api.grpcPort}`);
  t.teardown(() => session.destroy());
  const call = session.request({
    ':method': 'POST',
    ':path': '/lumesh.v1.Lumesh/Subscribe',
    'content-type': 'application/grpc',
    'grpc-timeout': '100m',
    te: 'trailers',
  });
  call.end(Buffer.from([0, 0, 0, 0, 3, 0x0a, 1, 0x61]));
  call.resume();
  const [trailers] = await once(call, 'trailers');
  t.equal(Number(trailers['grpc-status']), grpc.status.DEADLINE_EXCEEDED);
  while (mesh.subscribers.get('a')?.size) await new Promise(setImmediate);
});

t.test('health follows readiness', async (t) => {
  const { health, mesh, api } = await grpcLive(t);
  const status = async () => (await unary(health, 'check', { service: 'lumesh.v1.Lumesh' })) as unknown;
  t.same(await status(), { status: 'SERVING' });
  mesh.reasons = ['joining'];
  t.same(await status(), { status: 'NOT_SERVING' });
  mesh.reasons = [];
  t.same(await status(), { status: 'SERVING' });
  api.drain(0);
});

t.test('reflection lists the services and describes them in the names of the proto file', async (t) => {
  const { address } = await grpcLive(t);
  const path = '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo';
  const client = new grpc.Client(address, grpc.credentials.createInsecure());
  t.teardown(() => client.close());
  const asIs = (bytes: Buffer) => bytes;
  const call = client.makeBidiStreamRequest(path, asIs, asIs);
  call.on('error', () => {});
  /** Asks with one text field of ServerReflectionRequest. */
  const ask = async (field: number, text: string): Promise<string> => {
    call.write(Buffer.concat([Buffer.from([field * 8 + 2, text.length]), Buffer.from(text)]));
    return (await once(call, 'data'))[0].toString('latin1');
  };
  const services = await ask(7, '*');
  t.match(services, /lumesh\.v1\.Lumesh/);
  t.match(services, /grpc\.health\.v1\.Health/);
  const [lumesh, health] = [await ask(4, 'lumesh.v1.Lumesh'), await ask(4, 'grpc.health.v1.Health')];
  call.end();
  t.match(lumesh, /client_id/);
  t.match(lumesh, /retry_after_ms/);
  t.match(health, /SERVICE_UNKNOWN/);
  t.notMatch(health, /Statuses/, 'a map entry under a name that generic clients refuse');
});

t.test('bytes that are no message, and bytes that are no gRPC, are refused and harm nobody', async (t) => {
  const { address, client, api } = await grpcLive(t);
  const rough = new grpc.Client(address, grpc.credentials.createInsecure());
  t.teardown(() => rough.close());
  const asIs = (bytes: Buffer) => bytes;
  const refused = await new Promise<grpc.ServiceError | null>((resolve) =>
    rough.makeUnaryRequest('/lumesh.v1.Lumesh/Publish', asIs, asIs, Buffer.from([0x0a, 200, 1]), (error) =>
      resolve(error),
    ),
  );
  t.equal(refused?.code, grpc.status.INVALID_ARGUMENT);
  const unknown = await new Promise<grpc.ServiceError | null>((resolve) =>
    rough.makeUnaryRequest('/lumesh.v1.Lumesh/Shout', asIs, asIs, Buffer.alloc(0), (error) => resolve(error)),
  );
  t.equal(unknown?.code, grpc.status.UNIMPLEMENTED);
  const socket = connect(api.grpcPort, '127.0.0.1');
  socket.on('error', () => {});
  socket.write(Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 7919) & 255)));
  await new Promise((resolve) => socket.once('close', resolve).resume());
  t.match(await unary(client, 'publish', { channel: 'c' }), { success: '0' });
});

t.test('a login is needed where there are users, and the read role may not publish', async (t) => {
  const users = [
    { username: 'writer', password: 'w' },
    { username: 'reader', password: 'r', roles: ['read'] },
  ];
  const { client, health } = await grpcLive(t, { users });
  const as = (authorization: string) => {
    const metadata = new grpc.Metadata();
    metadata.set('authorization', authorization);
    return metadata;
  };
  await t.rejects(unary(client, 'publish', { channel: 'c' }), { code: grpc.status.UNAUTHENTICATED });
  await t.rejects(unary(client, 'publish', { channel: 'c' }, as('Bearer writer:x')), {
    code: grpc.status.UNAUTHENTICATED,
  });
  await t.rejects(unary(client, 'publish', { channel: 'c' }, as('Bearer reader:r')), {
    code: grpc.status.PERMISSION_DENIED,
  });
  t.match(await unary(client, 'publish', { channel: 'c' }, as('Bearer writer:w')), { success: '0' });
  const basic = `Basic ${Buffer.from('writer:w').toString('base64')}`;
  const call = stream(client, as(basic));
  call.write({ channel: 'c', id: '7' });
  call.end();
  for await (const reply of call) t.match(reply, { id: '7', error: null });
  t.same(await unary(health, 'check', { service: '' }), { status: 'SERVING' });
  const denied = stream(client, as('Bearer reader:r'));
  await t.rejects(once(denied, 'end'), { code: grpc.status.PERMISSION_DENIED });
});

t.test('a subscribed back end whose user is removed is ended', async (t) => {
  const { client, api, mesh } = await grpcLive(t, { users: [{ username: 'reader', password: 'r' }] });
  const login = new grpc.Metadata();
  login.set('authorization', 'Bearer reader:r');
  const call = subscribe(client, ['a'], login);
  await once(call, 'metadata');
  const ended = new Promise<grpc.ServiceError>((resolve) =>
    call.once('error', (error) => resolve(error as grpc.ServiceError)),
  );
  api.reloadAccess(accessOf({ users: [{ username: 'other', password: 'r' }] }));
  t.equal((await ended).code, grpc.status.UNAUTHENTICATED);
  while (mesh.subscribers.get('a')?.size) await new Promise(setImmediate);
});
