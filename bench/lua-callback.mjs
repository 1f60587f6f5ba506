/**
 * Claim: a Lua callback with one conn:send costs little over the same echo in plain JavaScript on uWebSockets.js. 50 clients keep 8
 * messages of 64 bytes under way each; every echo is checked; CPU time of the server process as the operating system counts
 * it. Ours has everything on that a node has: limits, order per connection, counts.
 *
 *   node bench/lua-callback.mjs [--quick]
 */
import { numberAt, payloadOf } from './clients/payload.mjs';
import { BINARY, frame, RawClient } from './clients/websocket.mjs';
import { measure, quick, report } from './lib/compare.mjs';
import { sleep, WARM_UP_MS } from './lib/fanout.mjs';
import { startScript } from './lib/process.mjs';

const CLIENTS = 50;
const WINDOW = 8;
const SIZE = 64;
const SECONDS = quick ? 2 : 5;

/** Clients that send the next message for each echo, as it comes. */
class Echoes {
  count = 0;
  wrong = 0;
  stopped = false;
  #payload = payloadOf(SIZE);

  async open(port) {
    const client = await RawClient.open({ port });
    client.received = 0;
    client.sent = 0;
    client.onMessage = (who, buffer, start, end) => {
      if (end - start !== SIZE || numberAt(buffer, start) !== who.received++) this.wrong++;
      this.count++;
      if (!this.stopped) this.#send(who);
    };
    for (let i = 0; i < WINDOW; i++) this.#send(client);
    return client;
  }

  #send(client) {
    client.write(frame(this.#payload.number(client.sent++), BINARY));
  }
}

async function run(script) {
  const { server, port } = await startScript(new URL(script, import.meta.url));
  const echoes = new Echoes();
  const clients = [];
  for (let i = 0; i < CLIENTS; i++) clients.push(await echoes.open(port));
  await sleep(WARM_UP_MS);
  const [before, cpuBefore] = [echoes.count, server.cpu()];
  await sleep(SECONDS * 1000);
  const [count, cpu] = [echoes.count - before, server.cpu() - cpuBefore];
  echoes.stopped = true;
  for (const client of clients) client.close();
  await server.stop();
  if (echoes.wrong > 0) throw new Error(`${echoes.wrong} echoes were wrong`);
  return { 'messages/s': count / SECONDS, 'messages/CPU s': (count / cpu) * 1e6, 'us/message': cpu / count };
}

console.log(`echo: ${CLIENTS} clients, ${WINDOW} messages of ${SIZE} bytes under way each`);
const { plain, lua } = await measure({
  plain: () => run('./servers/echo-bare.mjs'),
  lua: () => run('./servers/echo-lua.mjs'),
});
console.log(
  `  one Lua callback with one conn:send: ${(lua['us/message'] - plain['us/message']).toFixed(2)} us over plain JavaScript`,
);
report({
  claim: 'echo by a Lua callback with conn:send, against plain JavaScript on uWebSockets.js',
  ours: lua['messages/CPU s'],
  baseline: plain['messages/CPU s'],
  ratio: lua['messages/CPU s'] / plain['messages/CPU s'],
  unit: 'messages per CPU second',
  usOver: lua['us/message'] - plain['us/message'],
});
