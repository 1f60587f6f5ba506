/** The scenarios of bench/README.md, each the same for every system. A run starts the system, measures, and takes it down. */
import { numberAt, payloadOf } from '../clients/payload.mjs';
import { RawClient } from '../clients/websocket.mjs';
import { quick } from './compare.mjs';
import { Audience, saturate, sleep, until, WARM_UP_MS } from './fanout.mjs';
import { pin } from './process.mjs';

const SIZE = 64;
const SECONDS = quick ? 1.5 : 4;
/** A run that hangs is a failed run. */
const LIMIT_MS = 120_000;

/** Starts a system, runs, stops it, whatever happens. */
export async function using(start, run) {
  const system = await start();
  let timer;
  const late = new Promise((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${system.name}: no end after ${LIMIT_MS / 1000} s`)), LIMIT_MS);
  });
  try {
    return await Promise.race([run(system), late]);
  } finally {
    clearTimeout(timer);
    await system.stop();
  }
}

/** A, B, B1: `subscribers` of one channel on the last node, a publisher on the first, `window` messages under way. */
export function fanOut(start, { subscribers = 500, window = 512, node = 0 } = {}) {
  return using(start, async (system) => {
    const audience = await Audience.open(subscribers, system.address(node), (client) => system.subscribe(client, 'c'));
    await system.settle?.();
    const publisher = await system.publisher(0);
    const payload = payloadOf(SIZE);
    const result = await saturate({
      audience,
      window,
      seconds: SECONDS,
      servers: system.servers,
      publish: (n) => publisher.publish('c', payload.number(n)),
      flush: publisher.flush,
    });
    await checkCounts(publisher, audience.delivered);
    publisher.close();
    audience.close();
    return result;
  });
}

/** Where a publisher is told counts, they must be the truth. */
async function checkCounts(publisher, delivered) {
  if (publisher.answered === undefined) return;
  await until(() => publisher.success >= delivered, 2000);
  if (publisher.success !== delivered || publisher.fail !== 0) {
    throw new Error(`counts say ${publisher.success} and ${publisher.fail} failed, ${delivered} were delivered`);
  }
}

/** C: each of `channels` has one subscriber, on any node; messages go to random channels from the first node. */
export function manyChannels(start, { channels = 5000, window = 512, nodes = 2, warmUpMs = WARM_UP_MS } = {}) {
  return using(start, async (system) => {
    const clients = [];
    const expected = new Uint32Array(channels);
    let delivered = 0;
    let wrong = 0;
    let onProgress = () => {};
    for (let i = 0; i < channels; i += 100) {
      const batch = Array.from({ length: 100 }, async (_, k) => {
        const index = i + k;
        const client = await RawClient.open(system.address(index % nodes));
        await system.subscribe(client, `c${index}`);
        let last = 0;
        client.listen((_client, buffer, start) => {
          const number = numberAt(buffer, start);
          if (number !== ++last) wrong++;
          delivered++;
          onProgress();
        });
        clients.push(client);
      });
      await Promise.all(batch);
    }
    await system.settle?.();
    const publisher = await system.publisher(0);
    const payload = payloadOf(SIZE);
    let published = 0;
    let scheduled = false;
    let stop = false;
    const fill = () => {
      scheduled = false;
      if (stop) return;
      const before = published;
      while (published - delivered < window) {
        const channel = Math.floor(Math.random() * channels);
        publisher.publish(`c${channel}`, payload.number(++expected[channel]));
        published++;
      }
      if (published > before) publisher.flush();
    };
    onProgress = () => {
      if (scheduled) return;
      scheduled = true;
      setImmediate(fill);
    };
    fill();
    await sleep(warmUpMs);
    const cpu = total(system.servers);
    const deliveredBefore = delivered;
    const began = performance.now();
    await sleep(SECONDS * 1000);
    const elapsed = (performance.now() - began) / 1000;
    const used = total(system.servers) - cpu;
    const deliveries = delivered - deliveredBefore;
    stop = true;
    await until(() => delivered >= published, 5000);
    if (delivered !== published || wrong > 0)
      throw new Error(`${published - delivered} missing, ${wrong} out of order`);
    await checkCounts(publisher, delivered);
    publisher.close();
    for (const client of clients) client.close();
    return { 'deliveries/s': deliveries / elapsed, 'us CPU/delivery': used / deliveries };
  });
}

/** D begins with so many messages, one per millisecond: code that ran 200 times a second for some seconds is not compiled yet. */
const WARM_UP_MESSAGES = quick ? 1000 : 5000;

/** D with the subscribers' node alone on one core, the publisher's node and the clients on another. */
export async function latencyPinned(start) {
  try {
    return await latency(async () => {
      const system = await start();
      for (const server of system.servers.slice(0, -1)) pin(1, server.pid);
      pin(0, system.servers.at(-1).pid);
      pin(1);
      return system;
    });
  } finally {
    pin(null);
  }
}

/** D: `rate` messages per second from the first node to `subscribers` on the last; how long each delivery takes. */
export function latency(start, { subscribers = 100, rate = 200, node = 1 } = {}) {
  return using(start, async (system) => {
    const times = [];
    const sentAt = [];
    let warm = 0;
    const clients = await Promise.all(
      Array.from({ length: subscribers }, async () => {
        const client = await RawClient.open(system.address(node));
        await system.subscribe(client, 'c');
        client.listen((_client, buffer, start) => {
          const number = numberAt(buffer, start);
          const time = performance.now() - sentAt[number];
          if (number < WARM_UP_MESSAGES) warm++;
          else times.push(time);
        });
        return client;
      }),
    );
    await system.settle?.();
    const publisher = await system.publisher(0);
    const payload = payloadOf(SIZE);
    const send = async (from, to, everyMs) => {
      const began = performance.now();
      for (let n = from; n < to; n++) {
        const due = began + (n - from) * everyMs;
        if (due > performance.now()) await sleep(due - performance.now());
        sentAt[n] = performance.now();
        publisher.publish('c', payload.number(n));
        publisher.flush();
      }
    };
    await send(0, WARM_UP_MESSAGES, 1);
    await until(() => warm >= WARM_UP_MESSAGES * subscribers, 5000);
    const messages = rate * SECONDS * 2;
    await send(WARM_UP_MESSAGES, WARM_UP_MESSAGES + messages, 1000 / rate);
    await until(() => times.length >= messages * subscribers, 5000);
    if (times.length !== messages * subscribers) throw new Error(`${messages * subscribers - times.length} missing`);
    publisher.close();
    for (const client of clients) client.close();
    const sorted = Float64Array.from(times).sort();
    const at = (part) => sorted[Math.floor(sorted.length * part)];
    return { 'p50 ms': at(0.5), 'p99 ms': at(0.99) };
  });
}

/** E: memory per idle connection that is subscribed to a channel of its own. */
export function idleMemory(start, { connections = quick ? 1000 : 10_000 } = {}) {
  return using(start, async (system) => {
    const clients = [];
    const open = async (count) => {
      for (let i = 0; i < count; i += 100) {
        const batch = Array.from({ length: 100 }, async () => {
          const client = await RawClient.open(system.address(0));
          await system.subscribe(client, `e${clients.push(client)}`);
        });
        await Promise.all(batch);
      }
      await sleep(2000);
    };
    // What the first clients bring with them (code, pools) is not theirs.
    await open(1000);
    const before = memory(system.servers);
    await open(connections);
    const after = memory(system.servers);
    for (const client of clients) client.close();
    return { 'KB/connection': (after - before) / connections / 1024 };
  });
}

function memory(servers) {
  return servers.reduce((sum, server) => sum + server.rss(), 0);
}

function total(servers) {
  return servers.reduce((sum, server) => sum + server.cpu(), 0);
}
