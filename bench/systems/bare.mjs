/** Bare uWebSockets.js, one process: the limit. The server is bench/servers/bare.mjs. */
import { BINARY, frame, RawClient } from '../clients/websocket.mjs';
import { startScript } from '../lib/process.mjs';

export const startBare = async () =>
  plainSystem('bare uWebSockets.js', await startScript(new URL('../servers/bare.mjs', import.meta.url)));

/** A server of one process with the protocol of bench/servers/bare.mjs. */
export function plainSystem(name, { server, port }) {
  return {
    name,
    servers: [server],
    address: () => ({ port }),
    subscribe: (client, channel) =>
      new Promise((resolve) => {
        client.onMessage = resolve;
        client.send(`s ${channel}`);
      }),
    publisher: () => openPublisher(port),
    stop: () => server.stop(),
  };
}

/** Publishes as one byte for the channel's length, the channel, the payload. There are no answers: nothing is counted there. */
async function openPublisher(port) {
  const client = await RawClient.open({ port });
  let batch = [];
  return {
    publish(channel, payload) {
      batch.push(frame(Buffer.concat([Buffer.from([channel.length]), Buffer.from(channel), payload]), BINARY));
    },
    flush() {
      client.write(Buffer.concat(batch));
      batch = [];
    },
    close: () => client.close(),
  };
}
