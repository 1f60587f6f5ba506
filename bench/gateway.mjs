/** Claim: delivery by the gateway alone costs hardly more than bare uWebSockets.js. 500 subscribers, 64 bytes, saturated. */

import { payloadOf } from './clients/payload.mjs';
import { BINARY, frame, RawClient } from './clients/websocket.mjs';
import { measure, quick, report } from './lib/compare.mjs';
import { Audience, saturate } from './lib/fanout.mjs';
import { startScript } from './lib/process.mjs';

const SUBSCRIBERS = 500;
const WINDOW = 512;

async function run(script) {
  const { server, port } = await startScript(new URL(script, import.meta.url));
  const audience = await Audience.open(SUBSCRIBERS, { port }, subscribe);
  const publisher = await RawClient.open({ port });
  const payload = payloadOf(64);
  let batch = [];
  const result = await saturate({
    audience,
    window: WINDOW,
    seconds: quick ? 1.5 : 4,
    servers: [server],
    publish: (n) => batch.push(frame(payload.number(n), BINARY)),
    flush() {
      publisher.write(Buffer.concat(batch));
      batch = [];
    },
  });
  audience.close();
  await server.stop();
  return result;
}

function subscribe(client) {
  return new Promise((resolve) => {
    client.onMessage = resolve;
    client.send('s c');
  });
}

console.log(`gateway: ${SUBSCRIBERS} subscribers of one channel, 64 bytes, ${WINDOW} messages under way`);
const { bare, gateway } = await measure({
  bare: () => run('./servers/bare.mjs'),
  gateway: () => run('./servers/gateway.mjs'),
});
report({
  claim: 'gateway alone, fan-out to 500 subscribers, against bare uWebSockets.js',
  ours: gateway['deliveries/CPU s'],
  baseline: bare['deliveries/CPU s'],
  ratio: gateway['deliveries/CPU s'] / bare['deliveries/CPU s'],
  unit: 'deliveries per CPU second',
});
