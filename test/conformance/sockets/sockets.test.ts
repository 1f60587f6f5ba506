import { Client, CONFIG, setup, turn } from '../../gateway/harness.js';
import { PlainSockets, PlainSubscriber } from './plain.js';
import { type Bench, conform } from './suite.js';

conform('in memory', async (): Promise<Bench> => {
  let id = 0;
  return {
    sockets: new PlainSockets(),
    async seat() {
      const subscriber = new PlainSubscriber(String(++id));
      return {
        subscriber,
        received: async (count) =>
          subscriber.messages.slice(0, count).map(({ data }) => Buffer.from(data).toString('latin1')),
      };
    },
    turn: async () => {},
    close: async () => {},
  };
});

conform('gateway, WebSocket clients', async (): Promise<Bench> => {
  const { gateway, script } = setup();
  const { port } = await gateway.listenWebSocket(CONFIG, script);
  return {
    sockets: gateway.sockets,
    async seat() {
      const name = `/?${Math.random()}`;
      const client = await Client.open(port, name);
      const found = script.handshakes.all.find(({ request }) => request.requestUri === name);
      if (!found) throw new Error('no handshake');
      return { subscriber: found.connection, received: (count) => client.received.first(count) };
    },
    turn,
    close: async () => gateway.close(),
  };
});
