/** A WebSocket client for the demos: JSON in both directions, and `next` to wait for one message. */
import { once } from 'node:events';
import { WebSocket } from 'ws';

export class Client {
  #received = [];
  #waiting = [];

  constructor(socket) {
    this.socket = socket;
    socket.on('message', (bytes) => {
      this.#received.push(JSON.parse(bytes.toString()));
      this.#match();
    });
    socket.on('close', (code, reason) => {
      this.closed = { code, reason: reason.toString() };
      for (const { reject } of this.#waiting.splice(0)) reject(new Error(`closed with ${code} ${reason}`));
    });
  }

  static async open(address, path = '/') {
    const client = new Client(new WebSocket(`ws://${address}${path}`));
    await once(client.socket, 'open');
    return client;
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  /** The first message, received already or yet to come, that has these fields. */
  next(fields) {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ fields, resolve, reject });
      this.#match();
    });
  }

  /** Sends a request and waits for the answer with the same `op`. */
  ask(message) {
    this.send(message);
    return this.next({ op: message.op });
  }

  close() {
    this.socket.close();
  }

  #match() {
    for (const wait of [...this.#waiting]) {
      const fits = (message) => Object.entries(wait.fields).every(([key, value]) => message[key] === value);
      const index = this.#received.findIndex(fits);
      if (index < 0) continue;
      this.#waiting.splice(this.#waiting.indexOf(wait), 1);
      wait.resolve(this.#received.splice(index, 1)[0]);
    }
  }
}
