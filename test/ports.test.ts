import { connect, createServer, type Server } from 'node:net';
import t from 'tap';
import { claimPort, claimPorts } from './ports.js';

function listening(port: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject);
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

t.test('claimed ports can be listened on, and nobody else gets them', async (t) => {
  const claims = await Promise.all(Array.from({ length: 20 }, () => claimPorts(4)));
  const ports = claims.flat();
  t.equal(new Set(ports).size, 80);
  for (const port of ports) (await listening(port)).close();
});

t.test('a claimed port is free again when its process has ended, for the one that comes back', async (t) => {
  const port = await claimPort();
  const first = await listening(port);
  const accepted = new Promise<void>((resolve) => first.once('connection', (socket) => resolve(void socket.destroy())));
  const client = connect(port, '127.0.0.1');
  client.on('error', () => {});
  await accepted;
  await new Promise((resolve) => first.close(resolve));
  const second = await listening(port);
  t.ok(second.listening);
  second.close();
});

t.test('more ports than a block has are refused', async (t) => {
  await t.rejects(claimPorts(30), /a block has 29 ports/);
});
