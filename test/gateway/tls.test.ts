import { copyFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { WebSocket } from 'ws';
import type { ServerConfig } from '../../src/config/schema.js';
import { CONFIG, setup, TestAudience, turn } from './harness.js';

const certificates = join(dirname(fileURLToPath(import.meta.url)), 'certificates');

/** Puts a certificate where a server's configuration says, as an operator would. */
function install(folder: string, name: 'one' | 'two'): void {
  copyFileSync(join(certificates, `${name}.pem`), join(folder, 'cert.pem'));
  copyFileSync(join(certificates, `${name}.key`), join(folder, 'cert.key'));
}

/** The common name of the certificate shown on a port. */
function shown(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket: TLSSocket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

for (const protocol of ['websocket', 'socket'] as const) {
  t.test(`a ${protocol} server shows a new certificate after a reload and keeps its clients`, async (t) => {
    const folder = t.testdir({});
    install(folder, 'one');
    const { gateway, script, log } = setup();
    t.teardown(() => gateway.close());
    const config: ServerConfig = {
      ...CONFIG,
      protocol,
      port: 0,
      tls: { cert: join(folder, 'cert.pem'), key: join(folder, 'cert.key') },
    };
    const { port } =
      protocol === 'websocket'
        ? await gateway.listenWebSocket(config, script)
        : await gateway.listenSocket(config, { ...SILENT });
    t.equal(await shown(port), 'one.test');
    install(folder, 'two');
    t.equal(await shown(port), 'one.test', 'not before the reload');
    gateway.reloadTls();
    t.equal(await shown(port), 'two.test');
    copyFileSync(join(certificates, 'one.key'), join(folder, 'cert.key'));
    gateway.reloadTls();
    t.same(log.all, ['certificate not replaced'], 'a key that does not fit changes nothing');
    t.equal(await shown(port), 'two.test');
  });
}

const SILENT = { connected() {}, received() {}, encode: (_: unknown, data: Uint8Array) => data, closed() {} };

t.test('a channel reaches clients that came before and after a certificate was replaced', async (t) => {
  const folder = t.testdir({});
  install(folder, 'one');
  const { gateway, script } = setup();
  t.teardown(() => gateway.close());
  const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'cert.key') };
  const { port } = await gateway.listenWebSocket({ ...CONFIG, port: 0, tls }, script);
  const received: string[] = [];
  const open = () =>
    new Promise<void>((resolve) => {
      const socket = new WebSocket(`wss://127.0.0.1:${port}/`, { rejectUnauthorized: false });
      socket.on('open', resolve);
      socket.on('message', (message) => received.push(String(message)));
    });
  for (let i = 0; i < 10; i++) await open();
  install(folder, 'two');
  gateway.reloadTls();
  for (let i = 0; i < 10; i++) await open();
  const audience = new TestAudience('c', gateway);
  for (const { connection } of script.handshakes.all) audience.join(connection);
  t.same(audience.publish('to all'), { success: 20, fail: 0 });
  while (received.length < 20) await turn();
  t.equal(gateway.count(), 20);
  gateway.reloadTls();
});

t.test('a TLS file that is missing is named before anything starts', async (t) => {
  const { gateway, script } = setup();
  const tls = { cert: '/nowhere/cert.pem', key: '/nowhere/cert.key' };
  for (const open of [
    () => gateway.listenWebSocket({ ...CONFIG, tls }, script),
    () => gateway.listenSocket({ ...CONFIG, tls }, { ...SILENT }),
  ]) {
    await t.rejects(open(), { message: /TLS file can't be read: .*\/nowhere\/cert\.pem/ });
  }
});
