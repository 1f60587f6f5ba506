import { once } from 'node:events';
import { type AddressInfo, createConnection, createServer, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { claimPort } from '../ports.js';
import { Breaker } from './breaker.js';

/** An echo server behind a breaker, and a client in front of it. */
async function setUp(t: Test): Promise<{ breaker: Breaker; dial: () => Promise<Socket>; received: () => string }> {
  let received = '';
  const echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      received += bytes.toString();
      socket.write(bytes);
    });
  });
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const breaker = new Breaker(await claimPort(), (echo.address() as AddressInfo).port);
  await breaker.open();
  const sockets: Socket[] = [];
  t.teardown(async () => {
    for (const socket of sockets) socket.destroy();
    await breaker.close();
    echo.close();
  });
  const dial = async (): Promise<Socket> => {
    const [host, port] = breaker.address.split(':');
    const socket = createConnection(Number(port), host);
    socket.on('error', () => {});
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  return { breaker, dial, received: () => received };
}

/** Not `once`, which a reset would make fail. */
function closed(socket: Socket): Promise<void> {
  return new Promise((resolve) => socket.once('close', () => resolve()));
}

async function ask(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  return answer.toString();
}

t.test('bytes pass both ways', async (t) => {
  const { breaker, dial } = await setUp(t);
  const socket = await dial();
  t.equal(await ask(socket, 'one'), 'one');
  t.equal(breaker.size, 1);
});

t.test('a cut resets what is open and what comes, until it heals', async (t) => {
  const { breaker, dial } = await setUp(t);
  const socket = await dial();
  await ask(socket, 'one');
  const ended = closed(socket);
  breaker.cut();
  await ended;
  await dial().then(closed, (error: Error) => t.match(error, { code: 'ECONNRESET' }));
  t.equal(breaker.size, 0);
  breaker.heal();
  t.equal(await ask(await dial(), 'two'), 'two');
});

t.test('a reset ends connections but lets new ones in', async (t) => {
  const { breaker, dial } = await setUp(t);
  const socket = await dial();
  await ask(socket, 'one');
  const ended = closed(socket);
  breaker.reset();
  await ended;
  t.equal(await ask(await dial(), 'two'), 'two');
});

t.test('closed, it ends connections and leaves nobody on its port, until it is opened again', async (t) => {
  const { breaker, dial } = await setUp(t);
  const socket = await dial();
  await ask(socket, 'one');
  const ended = closed(socket);
  await Promise.all([breaker.close(), ended]);
  await t.rejects(dial(), { code: 'ECONNREFUSED' });
  await breaker.open();
  t.equal(await ask(await dial(), 'two'), 'two');
});

t.test('a block outwards lets bytes in, and what was held back comes when it heals', async (t) => {
  const { breaker, dial, received } = await setUp(t);
  const socket = await dial();
  await ask(socket, 'one');
  breaker.block('out');
  let answered = false;
  socket.on('data', () => {
    answered = true;
  });
  socket.write('two');
  // A second connection's way in shows that the first one's bytes had their time.
  const other = await dial();
  other.write('three');
  while (!received().includes('two') || !received().includes('three')) await new Promise((r) => setImmediate(r));
  t.notOk(answered);
  const late = once(socket, 'data');
  breaker.heal();
  t.equal(String((await late)[0]), 'two');
});

t.test('a block inwards holds bytes back, also of new connections', async (t) => {
  const { breaker, dial, received } = await setUp(t);
  const socket = await dial();
  await ask(socket, 'one');
  breaker.block('in');
  socket.write('two');
  const other = await dial();
  other.write('three');
  for (let i = 0; i < 50; i++) await new Promise((r) => setImmediate(r));
  t.equal(received(), 'one');
  const late = once(socket, 'data');
  breaker.heal();
  t.equal(String((await late)[0]), 'two');
});
