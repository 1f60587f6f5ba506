/** Clients of real nodes that keep the books of audit.ts: subscribers on the clients' port, publishers on the WebSocket API. */
import { WebSocket } from 'ws';
import type { Audit, Outcome, Subscription } from './audit.js';
import type { NodeProcess } from './process.js';

const PONG = '{"op":"pong"}';

/** Subscribes through the default Lua script and notes every message. One subscription; open a new one after its end. */
export class Listener {
  /** Close code, once the connection has ended. */
  readonly closed: Promise<number>;

  private constructor(
    private readonly socket: WebSocket,
    readonly subscription: Subscription,
    private readonly pongs: (() => void)[],
  ) {
    this.closed = new Promise((resolve) => socket.on('close', resolve));
  }

  static async open(audit: Audit, node: NodeProcess, channel: string, name: string): Promise<Listener> {
    const socket = new WebSocket(`ws://${node.addresses.clients[0]}/`);
    let subscription: Subscription | null = null;
    const early: string[] = [];
    const pongs: (() => void)[] = [];
    const acknowledged = new Promise<void>((resolve, reject) => {
      socket.on('open', () => socket.send(JSON.stringify({ op: 'subscribe', channel })));
      socket.on('error', reject);
      socket.on('close', (code) => {
        if (subscription !== null) audit.ended(subscription);
        reject(new Error(`${name} was closed with ${code} before its subscribe was answered`));
      });
      socket.on('message', (bytes: Buffer) => {
        const text = bytes.toString();
        if (text === PONG) return pongs.shift()?.();
        if (subscription !== null) return audit.received(subscription, text);
        if (!text.startsWith('{')) return void early.push(text);
        const answer = JSON.parse(text) as { success?: boolean };
        if (!answer.success) return reject(new Error(`${name}: ${text}`));
        subscription = audit.subscribed(name, node.id, channel);
        for (const message of early) audit.received(subscription, message);
        resolve();
      });
    });
    await acknowledged;
    return new Listener(socket, subscription as unknown as Subscription, pongs);
  }

  /** Fulfilled when everything is here that its node had for it when this was asked, or when it is closed. */
  async caughtUp(): Promise<void> {
    const answered = new Promise<void>((resolve) => this.pongs.push(resolve));
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"op":"ping"}');
    await Promise.race([answered, this.closed]);
  }

  close(): Promise<number> {
    this.socket.close();
    return this.closed;
  }
}

interface Reply {
  readonly i: number;
  readonly E: { readonly m: string } | null;
  readonly r?: { readonly s: number; readonly f: number; readonly u?: readonly string[] };
}

/** Publishes numbered messages at a steady rate, each with its counts. */
export class Publisher {
  private socket: WebSocket | null = null;
  private connectedTo: NodeProcess | null = null;
  private timer: NodeJS.Timeout | null = null;
  private waiting = new Map<number, () => void>();
  private due = 0;
  private lastAt = 0;

  constructor(
    private readonly audit: Audit,
    readonly name: string,
    private readonly channel: string,
  ) {}

  async connect(node: NodeProcess): Promise<void> {
    const socket = new WebSocket(`ws://${node.addresses.api}/ws/v1`);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', () => resolve());
      socket.once('error', reject);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      if (this.socket === socket) this.lost();
    });
    socket.on('message', (bytes: Buffer) => this.replied(JSON.parse(bytes.toString()) as Reply));
    this.socket = socket;
    this.connectedTo = node;
  }

  /** The node it publishes at. */
  get node(): NodeProcess | null {
    return this.connectedTo;
  }

  /** Publishes one message; fulfilled with its number when the counts are there. */
  publish(): Promise<number> {
    const node = this.connectedTo;
    if (node === null) throw new Error(`${this.name} is not connected`);
    const { text, number } = this.audit.publish(this.name, node.id, this.channel);
    const request = { m: 'mesh.publish', i: number, p: { c: this.channel, d: text } };
    return new Promise((resolve) => {
      this.waiting.set(number, () => resolve(number));
      this.socket?.send(JSON.stringify(request));
    });
  }

  /** Publishes so many messages per second until `stop`. */
  begin(perSecond: number): void {
    this.lastAt = Date.now();
    this.timer = setInterval(() => {
      const now = Date.now();
      this.due += ((now - this.lastAt) * perSecond) / 1000;
      this.lastAt = now;
      for (; this.due >= 1; this.due--) void this.publish();
    }, 5);
  }

  /** Stops publishing; fulfilled when every publish has its result. */
  async stop(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    while (this.waiting.size > 0) await new Promise<void>((resolve) => this.onReply.push(resolve));
  }

  close(): void {
    this.socket?.close();
  }

  /** Its node is gone: what has no result yet will have none. */
  private lost(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    this.waiting.clear();
    for (const resolve of this.onReply.splice(0)) resolve();
  }

  private onReply: (() => void)[] = [];

  private replied({ i, E, r }: Reply): void {
    const result: Outcome['result'] =
      E !== null || r === undefined ? null : { success: r.s, fail: r.f, unconfirmed: r.u ?? [] };
    this.audit.finished(this.name, i, result);
    this.waiting.get(i)?.();
    this.waiting.delete(i);
    for (const resolve of this.onReply.splice(0)) resolve();
  }
}
