import { once } from 'node:events';
import t from 'tap';
import type { Message } from '../../src/core/message.js';
import { Client, CONFIG, setup, TestAudience, turn } from './harness.js';

/** Wide for sure, and narrow for sure. */
const WIDE = 20;
const NARROW = 2;
const BOUND = 200_000;
const CHUNK = 'x'.repeat(20_000);

async function clientsOn(count: number, onSlow: 'close' | 'drop' = 'close', servers = 1) {
  const set = setup();
  const audience = new TestAudience('news', set.gateway);
  const clients: Client[] = [];
  for (let s = 0; s < servers; s++) {
    const config = { ...CONFIG, onSlow, maxBackpressureBytes: BOUND };
    const { port } = await set.gateway.listenWebSocket(config, set.script);
    for (let i = 0; i < count; i++) clients.push(await Client.open(port));
  }
  for (const { connection } of set.script.handshakes.all) audience.join(connection);
  return { ...set, audience, clients };
}

/** Publishes, with turns in between so that everybody who reads keeps up, until `done`. */
async function flood(audience: TestAudience, done: (counts: { success: number; fail: number }) => boolean) {
  for (let i = 0; i < 4000; i++) {
    const counts = audience.publish(CHUNK);
    if (done(counts)) return counts;
    await turn();
  }
  throw new Error('the slow client never filled up');
}

for (const size of [NARROW, WIDE]) {
  t.test(
    `with ${size} subscribers, one that does not read is closed with 1013 and the others get everything`,
    async (t) => {
      const { gateway, script, counts, audience, clients } = await clientsOn(size);
      t.teardown(() => gateway.close());
      clients[0].socket.pause();
      const refused = await flood(audience, ({ fail }) => fail > 0);
      t.same(refused, { success: size - 1, fail: 1 });
      await turn();
      t.equal(script.closes.all[0].error, 'slow consumer');
      t.equal(counts.get('drops_total:slow_consumer'), 1, 'the drop is counted');
      const [{ connection }] = script.closes.all;
      t.notOk(connection.isOpen);
      audience.leave(connection);
      t.same(audience.publish('end'), { success: size - 1, fail: 0 });
      const sent = counts.get('deliveries_total');
      clients[0].socket.resume();
      t.match(await clients[0].closed, { code: 1013, reason: 'slow consumer' });
      let received = clients[0].received.all.length;
      for (const client of clients.slice(1)) {
        while (client.received.all.at(-1) !== 'end') await turn();
        received += client.received.all.length;
      }
      t.equal(received, sent, 'every counted delivery arrived, also at the slow one');
    },
  );

  t.test(
    `with ${size} subscribers and onSlow: drop, one that does not read misses messages, counted, and stays`,
    async (t) => {
      const { gateway, counts, audience, clients } = await clientsOn(size, 'drop');
      t.teardown(() => gateway.close());
      clients[0].socket.pause();
      await flood(audience, ({ fail }) => fail > 0);
      t.same(audience.publish(CHUNK), { success: size - 1, fail: 1 });
      t.ok(counts.get('drops_total:slow_consumer_skipped') >= 2);
      t.equal(gateway.count(), size);
      clients[0].socket.resume();
      await flood(audience, ({ fail }) => fail === 0);
      t.same(audience.publish('caught up'), { success: size, fail: 0 });
      let received = 0;
      for (const client of clients) {
        while (client.received.all.at(-1) !== 'caught up') await turn();
        received += client.received.all.length;
      }
      t.equal(received, counts.get('deliveries_total'), 'no more and no less than was counted');
    },
  );
}

t.test('a burst beyond the bound within one turn is counted as it really goes', async (t) => {
  const { gateway, counts, audience, clients } = await clientsOn(WIDE, 'drop');
  t.teardown(() => gateway.close());
  for (const client of clients) client.socket.pause();
  let success = 0;
  for (let i = 0; i < 500; i++) success += audience.publish(CHUNK).success;
  t.ok(success < 500 * WIDE, 'not everything fits');
  t.equal(counts.get('deliveries_total'), success);
  t.equal(counts.get('drops_total:slow_consumer_skipped'), 500 * WIDE - success);
  for (const client of clients) client.socket.resume();
  let received = 0;
  await turn();
  for (const client of clients) {
    client.socket.ping();
    await once(client.socket, 'pong');
    received += client.received.all.length;
  }
  t.equal(received, success);
});

t.test('a message larger than the bound still reaches a client that has nothing waiting', async (t) => {
  for (const size of [NARROW, WIDE]) {
    const { gateway, audience, clients } = await clientsOn(size);
    const large = 'y'.repeat(3 * BOUND);
    t.same(audience.publish(large), { success: size, fail: 0 });
    for (const client of clients) t.same(await client.received.first(1), [large]);
    gateway.close();
  }
});

t.test('subscribers of several servers, and ones that are no connections, are served together', async (t) => {
  const { gateway, audience, clients } = await clientsOn(WIDE, 'close', 2);
  t.teardown(() => gateway.close());
  const taken: Message[] = [];
  const taker = {
    id: 'back end',
    willing: true,
    take(message: Message): boolean {
      if (this.willing) taken.push(message);
      return this.willing;
    },
  };
  audience.join(taker);
  t.same(audience.publish('both', true), { success: 2 * WIDE + 1, fail: 0 });
  for (const client of clients) t.same(await client.received.first(1), ['b:both']);
  t.equal(taken.length, 1);
  t.equal(taken[0].binary, true);
  taker.willing = false;
  t.same(audience.publish('again'), { success: 2 * WIDE, fail: 1 });
  audience.leave(taker);
  t.same(audience.publish('third'), { success: 2 * WIDE, fail: 0 });
});

t.test('a client that is gone, or leaving, is not counted as a success', async (t) => {
  const { gateway, script, audience, clients } = await clientsOn(NARROW);
  t.teardown(() => gateway.close());
  const [{ connection }] = script.handshakes.all;
  connection.close();
  t.same(audience.publish('x'), { success: 1, fail: 1 });
  await clients[0].closed;
  t.same(audience.publish('y'), { success: 1, fail: 1 });
  audience.leave(connection);
  t.same(audience.publish('z'), { success: 1, fail: 0 });
  t.same(clients[0].received.all, []);
});

t.test('who closes in the turn of a wide publish still gets what was counted', async (t) => {
  const { gateway, script, audience, clients } = await clientsOn(WIDE);
  t.teardown(() => gateway.close());
  t.same(audience.publish('last'), { success: WIDE, fail: 0 });
  script.handshakes.all[0].connection.close();
  await clients[0].closed;
  t.same(clients[0].received.all, ['last']);
});
