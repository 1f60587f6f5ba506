import { once } from 'node:events';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Client, live } from './live.js';

const fixtures = fileURLToPath(new URL('./fixtures/', import.meta.url));

/** The name in the certificate that a port shows to a new connection. */
async function shown(port: number): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] });
  await once(socket, 'secureConnect');
  const name = String(socket.getPeerCertificate().subject.CN);
  socket.destroy();
  return name;
}

t.test('the API and gRPC ports speak TLS, and take new certificates without dropping anybody', async (t) => {
  const folder = t.testdir({});
  const tls = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') };
  const use = (name: string) => {
    copyFileSync(join(fixtures, `${name}.cert.pem`), tls.cert);
    copyFileSync(join(fixtures, `${name}.key.pem`), tls.key);
  };
  use('first');
  const { api, mesh } = await live(t, { api: { tls } });
  const port = api.httpPort;
  t.same([await shown(port), await shown(api.grpcPort)], ['first', 'first']);
  const early = await Client.open(`wss://127.0.0.1:${port}/ws/v1`);

  use('second');
  api.reloadTls();
  t.equal(api.httpPort, port);
  t.same([await shown(port), await shown(api.grpcPort)], ['second', 'second']);
  t.equal(await early.ask('ping'), 'pong', 'the connection of before lives on');
  const late = await Client.open(`wss://127.0.0.1:${port}/ws/v1`);
  t.match(await late.ask({ m: 'version' }), /"node":"node-1"/);

  writeFileSync(tls.cert, 'no certificate');
  api.reloadTls();
  t.same([await shown(port), await shown(api.grpcPort)], ['second', 'second'], 'a broken file changes nothing');
  t.match(mesh.errors, [/certificate not replaced/, /certificate not replaced/]);
});

t.test('certificate files that are missing stop the start and are named', async (t) => {
  const tls = { cert: '/nowhere/cert.pem', key: '/nowhere/key.pem' };
  await t.rejects(live(t, { api: { tls } }), { message: /api\.tls: \/nowhere\/cert\.pem/ });
});
