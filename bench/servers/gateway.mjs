/** The gateway alone, with the same protocol as bare.mjs and one channel: what delivery itself costs. Uses the built code. */
import { createGateway } from '../../dist/gateway/gateway.js';
import { createClock, createRandom } from '../../dist/ops/clock.js';

const audience = { channel: 'c', subscribers: new Set(), notes: null };
let id = 0;
const sums = new Map();
const meter = { count: (name, by = 1) => sums.set(name, (sums.get(name) ?? 0) + by), observe() {} };
const log = { debug() {}, info() {}, warn: console.error, error: console.error };
const gateway = createGateway({
  clock: createClock(),
  random: createRandom(),
  meter,
  log,
  newClientId: () => String(++id),
  unsubscribe() {},
});
const OK = Buffer.from('ok');
const { port } = await gateway.listenWebSocket(
  {
    port: 0,
    bind: '127.0.0.1',
    options: [],
    idleTimeoutSeconds: 60,
    maxPayloadBytes: 65536,
    maxBackpressureBytes: 16 << 20,
    onSlow: 'close',
    maxConnections: 1e6,
    tls: { cert: '', key: '' },
  },
  {
    handshake: (_connection, _request, done) => done({ accept: true }),
    message(connection, data, binary) {
      if (binary) {
        gateway.sockets.deliver(audience, { channel: 'c', data: data.slice(data[0] + 1), binary: false });
        return;
      }
      audience.subscribers.add(connection);
      gateway.sockets.joined(audience, connection);
      connection.send(OK, false);
    },
    closed(connection) {
      if (audience.subscribers.delete(connection)) gateway.sockets.left(audience, connection);
    },
  },
);
process.send({ port });
process.on('disconnect', () => process.exit());
