/** Clients of real nodes that keep the books of audit.ts: subscribers on the clients' port, publishers on the WebSocket API. */
import { WebSocket } from 'ws';
import type { Audit, Subscription } from './audit.js';
import type { NodeProcess } from './process.js';

const PONG = '{"op":"pong"}';
const PING_MS = 50;
/** With this a node that leaves closes its clients; everything it had for them came before. */
const RESTART = 1012;

/**
 * Subscribes through the default Lua script and notes every message. One subscription; open a new one after its end. It asks its
 * node again and again whether the connection lives, so that the books know until when it was owed its messages.
 */
export class Listener {
  /** Close code, once the connection has ended. */
  readonly closed: Promise<number>;

  private constructor(
    private readonly audit: Audit,
    private readonly socket: WebSocket,
    private readonly subscription: Subscription,
    private readonly pongs: (() => void)[],
  ) {
    const asking = setInterval(() => {
      if (pongs.length === 0) this.ping();
    }, PING_MS);
    this.closed = new Promise((resolve) =>
      socket.on('close', (code) => {
        clearInterval(asking);
        resolve(code);
      }),
    );
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
        if (subscription !== null) audit.ended(subscription, code !== RESTART && !node.isRunning);
        if (code !== RESTART && node.isRunning) audit.oddities.push(`${name} was closed with ${code}`);
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
    return new Listener(audit, socket, subscription as unknown as Subscription, pongs);
  }

  /** Fulfilled when everything is here that its node had for it when this was asked, or when it is closed. */
  async caughtUp(): Promise<void> {
    await Promise.race([new Promise<void>((resolve) => this.ping(resolve)), this.closed]);
  }

  private ping(answered: () => void = () => {}): void {
    const asked = this.audit.tick;
    this.pongs.push(() => {
      this.audit.lived(this.subscription, asked);
      answered();
    });
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send('{"op":"ping"}');
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
  private readonly waiting = new Set<number>();
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
      if (this.socket === socket) this.lost(node);
    });
    socket.on('message', (bytes: Buffer) => this.replied(JSON.parse(bytes.toString()) as Reply));
    this.socket = socket;
    this.connectedTo = node;
  }

  /** The node it publishes at. */
  get node(): NodeProcess | null {
    return this.connectedTo;
  }

  /** A back end that heard of a restart goes to another node first, and goes on there. */
  async moveTo(node: NodeProcess, perSecond: number): Promise<void> {
    await this.stop();
    this.close();
    await this.connect(node);
    this.begin(perSecond);
  }

  private publish(node: NodeProcess): void {
    const { text, number } = this.audit.publish(this.name, node.id, this.channel);
    this.waiting.add(number);
    this.socket?.send(JSON.stringify({ m: 'mesh.publish', i: number, p: { c: this.channel, d: text } }));
  }

  /** Publishes so many messages per second until `stop`. */
  begin(perSecond: number): void {
    this.lastAt = Date.now();
    this.timer = setInterval(() => {
      const now = Date.now();
      this.due += ((now - this.lastAt) * perSecond) / 1000;
      this.lastAt = now;
      const node = this.connectedTo;
      // A node that was told to end takes nothing more: that would be no publish.
      for (; this.due >= 1; this.due--) if (node?.isRunning) this.publish(node);
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

  /** What has no result yet will have none: that is to be expected only of a node that was killed. */
  private lost(node: NodeProcess): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    if (!node.isRunning) for (const number of this.waiting) this.audit.finished(this.name, number, 'lost');
    this.waiting.clear();
    for (const resolve of this.onReply.splice(0)) resolve();
  }

  private onReply: (() => void)[] = [];

  private replied({ i, E, r }: Reply): void {
    const refused = E !== null || r === undefined;
    this.audit.finished(this.name, i, refused ? 'refused' : { success: r.s, fail: r.f, unconfirmed: r.u ?? [] });
    this.waiting.delete(i);
    for (const resolve of this.onReply.splice(0)) resolve();
  }
}
