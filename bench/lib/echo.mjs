/**
 * Echo: clients that keep a number of messages under way, each answered by the server, every answer checked. CPU time of the server process
 * as the operating system counts it.
 */
import { BINARY, frame, RawClient, TEXT } from '../clients/websocket.mjs';
import { quick } from './compare.mjs';
import { sleep, WARM_UP_MS } from './fanout.mjs';
import { startScript } from './process.mjs';

export const CLIENTS = 50;
export const WINDOW = 8;
const SECONDS = quick ? 2 : 5;

/** Clients that send the next message for each answer, as it comes. */
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
    client.onMessage = (who, buffer, start, end) => {
      if (!this.kind.isAnswer(buffer, start, end, who.received++)) this.wrong++;
      this.count++;
      if (!this.stopped) this.#send(who);
    };
    for (let i = 0; i < WINDOW; i++) this.#send(client);
    return client;
  }

  #send(client) {
    client.write(frame(this.kind.message(client.sent++), this.kind.binary ? BINARY : TEXT));
  }
}

/** `kind`: binary, message(n) gives the n-th message of a client, isAnswer(buffer, start, end, n) checks what came back. */
export async function echo(script, kind, args = []) {
  const { server, port } = await startScript(new URL(`../servers/${script}`, import.meta.url), args);
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
