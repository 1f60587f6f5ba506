/** A node inside somebody's own program. packed.test.ts has the package around it. */
import { once } from 'node:events';
import t, { type Test } from 'tap';
import { createNode, type LumeshNode, MeshError } from '../../src/index.js';

async function node(t: Test): Promise<LumeshNode> {
  const running = await createNode({
    cluster: { port: 0, profile: 'local' },
    api: { port: 0, grpcPort: 0 },
    servers: [],
    logging: { level: 'error' },
  });
  t.teardown(() => running.close());
  return running;
}

const failure = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => null,
    (error: unknown) => error,
  );

t.test('bytes are the program’s own again after the call, and text keeps every character', async (t) => {
  const running = await node(t);
  const got: Uint8Array[] = [];
  await running.subscribe('c', ({ data }) => got.push(data));
  const bytes = Buffer.from([1, 2]);
  await running.publish('c', bytes);
  bytes.fill(0);
  t.same([...got[0]], [1, 2]);
  let text = '';
  await running.subscribe('d', (message) => {
    text = message.text();
  });
  await running.publish('d', '\ufeffé');
  t.equal(text, '\ufeffé');
});

t.test('what no node would take is refused with the error of the table', async (t) => {
  const running = await node(t);
  for (const [refused, kind] of [
    [running.publish('a b', 'x'), 'invalid_argument'],
    [running.publish('a', 5 as unknown as string), 'invalid_argument'],
    [running.publish('a', new Uint8Array(16 * 1024 * 1024)), 'too_large'],
    [running.subscribe('', () => {}), 'invalid_argument'],
    [running.send('6442450944000000001', 'x'), 'send_failed'],
  ] as const) {
    const error = await failure(refused);
    t.type(error, MeshError);
    t.equal((error as MeshError).kind, kind);
  }
  await running.close();
  t.match(await failure(running.publish('a', 'x')), { kind: 'not_ready' });
  t.match(await failure(running.subscribe('a', () => {})), { kind: 'not_ready' });
});

t.test('a program subscribes to a pattern, and is told the channel of each message', async (t) => {
  const running = await node(t);
  const got: string[] = [];
  const subscription = await running.psubscribe('room.*', (message) =>
    got.push(`${message.channel} ${message.text()}`),
  );
  t.equal(subscription.channel, 'room.*');
  t.match(await running.publish('room.1', 'x'), { success: 1, fail: 0 });
  t.match(await running.publish('hall.1', 'y'), { success: 0, fail: 0 });
  subscription.close();
  t.match(await running.publish('room.1', 'z'), { success: 0, fail: 0 });
  t.same(got, ['room.1 x']);
  t.match(await failure(running.psubscribe('a *', () => {})), { kind: 'invalid_argument' });
});

t.test('a subscriber that throws does not keep a message from the others', async (t) => {
  const running = await node(t);
  const got: string[] = [];
  await running.subscribe('c', () => {
    throw new Error('mine');
  });
  await running.subscribe('c', (message) => got.push(message.text()));
  // It is the program's error all the same, where Node.js shows such errors.
  const before = process.rawListeners('uncaughtException') as NodeJS.UncaughtExceptionListener[];
  process.removeAllListeners('uncaughtException');
  const uncaught = once(process, 'uncaughtException');
  t.same(await running.publish('c', 'x'), { success: 2, fail: 0, unconfirmed: [] });
  t.match(await uncaught, [{ message: 'mine' }]);
  for (const listener of before) process.on('uncaughtException', listener);
  t.same(got, ['x']);
});
