/**
 * One channel, many subscribers, publishing at full speed: the publisher keeps `window` messages under way that not every
 * subscriber has yet. Every delivery is checked.
 */

import { numberAt } from '../clients/payload.mjs';
import { RawClient } from '../clients/websocket.mjs';

/** The first moments belong to the compiler. */
export const WARM_UP_MS = 1000;

/** Subscribers of one channel, with what they got. */
export class Audience {
  delivered = 0;
  wrong = 0;
  /** Called whenever something arrived. */
  onProgress = () => {};
  #clients = [];

  /** `subscribe(client)` asks the server; resolves when the server has said yes. */
  static async open(count, address, subscribe) {
    const audience = new Audience();
    for (let i = 0; i < count; i += 50) {
      const batch = Array.from({ length: Math.min(50, count - i) }, () => audience.#add(address, subscribe));
      await Promise.all(batch);
    }
    return audience;
  }

  async #add(address, subscribe) {
    const client = await RawClient.open(address);
    await subscribe(client);
    client.note = -1;
    client.listen((who, buffer, start) => {
      const number = numberAt(buffer, start);
      // Each message once and in order, from wherever this run begins.
      if (who.note >= 0 && number !== who.note + 1) this.wrong++;
      who.note = number;
      this.delivered++;
      this.onProgress();
    });
    client.onClose = () => {
      this.wrong++;
    };
    this.#clients.push(client);
  }

  get size() {
    return this.#clients.length;
  }

  close() {
    for (const client of this.#clients) {
      client.onClose = () => {};
      client.close();
    }
  }
}

/**
 * Publishes for `seconds`. `publish(n)` sends message number n (it may be batched by the caller until `flush`). Returns
 * deliveries per second, and per second of the servers' CPU.
 */
export async function saturate({ audience, publish, flush, window, seconds, servers }) {
  let next = audience.next ?? 0;
  const first = next;
  const base = audience.delivered;
  let stop = false;
  let drained = () => {};
  const fill = () => {
    const got = (audience.delivered - base) / audience.size;
    if (stop) {
      if (got >= next - first) drained();
      return;
    }
    let sent = false;
    while (next - first - got < window) {
      publish(next++);
      sent = true;
    }
    if (sent) flush();
  };
  let scheduled = false;
  audience.onProgress = () => {
    if (scheduled) return;
    scheduled = true;
    setImmediate(() => {
      scheduled = false;
      fill();
    });
  };
  fill();
  await sleep(WARM_UP_MS);
  const cpuBefore = servers.map((server) => server.cpu());
  const deliveredBefore = audience.delivered;
  const timeBefore = performance.now();
  await sleep(seconds * 1000);
  const elapsed = (performance.now() - timeBefore) / 1000;
  const deliveries = audience.delivered - deliveredBefore;
  const cpu = servers.map((server, i) => server.cpu() - cpuBefore[i]);
  const total = cpu.reduce((sum, part) => sum + part, 0);
  const finished = new Promise((resolve) => {
    drained = resolve;
  });
  stop = true;
  audience.onProgress();
  await Promise.race([finished, sleep(15_000)]);
  audience.next = next;
  const expected = (next - first) * audience.size;
  const missing = expected - (audience.delivered - base);
  if (missing !== 0 || audience.wrong > 0) {
    throw new Error(`not every delivery was right: ${missing} missing, ${audience.wrong} wrong`);
  }
  return {
    'deliveries/s': deliveries / elapsed,
    'us CPU/delivery': total / deliveries,
    'deliveries/CPU s': (deliveries / total) * 1e6,
  };
}

export function sleep(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Resolves when `done()`, or after `ms`: what is missing then is for the caller to say. */
export async function until(done, ms) {
  const end = performance.now() + ms;
  while (!done() && performance.now() < end) await sleep(20);
}
