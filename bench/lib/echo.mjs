/**
 * Echo: clients that keep a number of messages under way, each answered by the server, every answer checked. CPU time of the server
 * process as the operating system counts it.
 */
import { BINARY, frame, RawClient, TEXT } from '../clients/websocket.mjs';
import { quick } from './compare.mjs';
import { sleep, WARM_UP_MS } from './fanout.mjs';
import { startScript } from './process.mjs';

export const CLIENTS = 50;
export const WINDOW = 8;
const SECONDS = quick ? 2 : 5;

/**
 * Clients that send a message for each answer: each in a write of its own, as clients with something to say now and then do, or
 * gathered, all of one read in one write. Gathered, the server reads and writes eight messages with two system calls, so that
 * nearly all of the time is what it does with a message.
 */
class Echoes {
  count = 0;
  wrong = 0;
  stopped = false;

  constructor(kind) {
    this.kind = kind;
  }

  async open(port) {
    const client = await RawClient.open({ port });
    client.received = 0;
    client.sent = 0;
    client.next = [];
    client.onMessage = (who, buffer, start, end) => {
      if (!this.kind.isAnswer(buffer, start, end, who.received++)) this.wrong++;
      this.count++;
      if (!this.stopped) this.#send(who);
    };
    for (let i = 0; i < WINDOW; i++) this.#send(client);
    return client;
  }

  #send(client) {
    const bytes = frame(this.kind.message(client.sent++), this.kind.binary ? BINARY : TEXT);
    if (!this.kind.gathered) return client.write(bytes);
    if (client.next.length === 0) queueMicrotask(() => client.write(Buffer.concat(client.next.splice(0))));
    client.next.push(bytes);
  }
}

/** Starts a script of bench/servers. */
export const script = (name, ...args) =>
  startScript(new URL(`../servers/${name}`, import.meta.url), args, process.env.BENCH_NODE_ARGS?.split(' '));

/**
 * `start` gives `{ server, port }`. `kind`: gathered, binary, message(n) gives the n-th message of a client,
 * isAnswer(buffer, start, end, n) checks what came back.
 */
export async function echo(start, kind) {
  const { server, port } = await start();
  const echoes = new Echoes(kind);
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
