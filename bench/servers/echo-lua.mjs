/** The gateway with a script whose on_message sends each message back: limits on, as configured by default. Uses the built code. */

import { schema } from '../../dist/config/schema.js';
import { createGateway } from '../../dist/gateway/gateway.js';
import { createClock, createRandom } from '../../dist/ops/clock.js';
import { createScript } from '../../dist/scripting/script.js';

let id = 0;
const meter = { count() {}, observe() {} };
const log = { debug() {}, info() {}, warn: console.error, error: console.error };
const gateway = createGateway({
  clock: createClock(),
  random: createRandom(),
  meter,
  log,
  newClientId: () => String(++id),
  unsubscribe() {},
});
const defaults = schema.parse({});
const server = { ...defaults.servers[0], port: 0, bind: '127.0.0.1', options: [] };
const entry = new URL(`../lua/${process.argv[2] ?? 'echo.lua'}`, import.meta.url).pathname;
const host = { log, meter, connection: (clientId) => gateway.connection(clientId) };
const script = await createScript({ ...defaults.lua, ...server, entry }, host);
const { port } = await gateway.listenWebSocket(server, script);
process.send({ port });
for (const end of ['disconnect', 'SIGTERM']) process.on(end, () => process.exit());
