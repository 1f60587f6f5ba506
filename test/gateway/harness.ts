/** A gateway with everything around it that a test needs: a clock whose timers the test fires, counters, recording scripts. */
import { connect, type Socket } from 'node:net';
import { WebSocket } from 'ws';
import type { ServerConfig } from '../../src/config/schema.js';
import { formatClientId } from '../../src/core/client-id.js';
import type { Audience, Clock, Log, Meter, Subscriber } from '../../src/core/ports.js';
import { createGateway, type Gateway } from '../../src/gateway/gateway.js';
import type { Connection, HandshakeRequest, HandshakeVerdict, WebSocketScript } from '../../src/gateway/roles.js';

/** Real turns, but timers run only when the test moves the time. */
export class TestClock implements Clock {
  private time = 0;
  private timers = new Set<{ at: number; fn: () => void }>();

  now(): number {
    return this.time;
  }
  after(ms: number, fn: () => void) {
    const timer = { at: this.time + ms, fn };
    this.timers.add(timer);
    return () => void this.timers.delete(timer);
  }
  endOfTurn(fn: () => void): void {
    setImmediate(fn);
  }
  /** Moves the time on; timers run in order, with a real event-loop turn after each. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    for (;;) {
      const next = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers.delete(next);
      this.time = next.at;
      next.fn();
      await turn();
    }
    this.time = end;
  }
}

/** Two event-loop turns: what was put off to the end of one has happened. */
export async function turn(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise((resolve) => setImmediate(resolve));
}

export class Counts implements Meter {
  readonly sums = new Map<string, number>();
  count(name: string, by = 1, label = ''): void {
    const key = label ? `${name}:${label}` : name;
    this.sums.set(key, (this.sums.get(key) ?? 0) + by);
  }
  observe(): void {}
  get(key: string): number {
    return this.sums.get(key) ?? 0;
  }
}

/** Log lines, for tests that look at them. */
export class Lines implements Log {
  readonly all: string[] = [];
  debug(message: string): void {
    this.all.push(message);
  }
  info(message: string): void {
    this.all.push(message);
  }
  warn(message: string): void {
    this.all.push(message);
  }
  error(message: string): void {
    this.all.push(message);
  }
}

/** Resolves waiting tests when something was recorded. */
export class Record<T> {
  readonly all: T[] = [];
  private waiting: { count: number; resolve: () => void }[] = [];
  push(item: T): void {
    this.all.push(item);
    for (const { count, resolve } of this.waiting) if (this.all.length >= count) resolve();
  }
  /** The first `count` items, as soon as there are so many. */
  async first(count: number): Promise<T[]> {
    if (this.all.length < count) await new Promise<void>((resolve) => this.waiting.push({ count, resolve }));
    return this.all.slice(0, count);
  }
}

/** Accepts everybody and writes down what happens; tests override what they need. */
export class RecordingScript implements WebSocketScript {
  readonly handshakes = new Record<{ connection: Connection; request: HandshakeRequest }>();
  readonly messages = new Record<{ connection: Connection; text: string; binary: boolean }>();
  readonly closes = new Record<{ connection: Connection; error: string | null }>();

  judge: (request: HandshakeRequest, done: (verdict: HandshakeVerdict) => void) => void = (_request, done) =>
    done({ accept: true });

  handshake(connection: Connection, request: HandshakeRequest, done: (verdict: HandshakeVerdict) => void): void {
    this.handshakes.push({ connection, request });
    this.judge(request, done);
  }
  message(connection: Connection, data: Uint8Array, binary: boolean): void {
    this.messages.push({ connection, text: Buffer.from(data).toString('latin1'), binary });
  }
  closed(connection: Connection, error: string | null): void {
    this.closes.push({ connection, error });
  }
}

export const CONFIG: ServerConfig = {
  port: 0,
  bind: '127.0.0.1',
  protocol: 'websocket',
  entry: 'entry.lua',
  maxSubscriptions: 100,
  options: [{ name: 'path', value: '/' }],
  idleTimeoutSeconds: 60,
  maxPayloadBytes: 65536,
  maxBackpressureBytes: 1048576,
  onSlow: 'close',
  maxConnections: 1000,
  tls: { cert: '', key: '' },
};

export interface Setup {
  readonly gateway: Gateway;
  /** Whom the gateway took off all channels. */
  readonly unsubscribed: readonly Subscriber[];
  readonly clock: TestClock;
  readonly counts: Counts;
  readonly log: Lines;
  readonly script: RecordingScript;
}

export function setup(share = false): Setup {
  const clock = new TestClock();
  const counts = new Counts();
  const log = new Lines();
  let counter = 0;
  const unsubscribed: Subscriber[] = [];
  const gateway = createGateway({
    clock,
    random: { fraction: () => 0.5, uint32: () => 7 },
    meter: counts,
    log,
    newClientId: () => formatClientId(5, ++counter),
    unsubscribe: (subscriber) => void unsubscribed.push(subscriber),
    share,
  });
  return { gateway, unsubscribed, clock, counts, log, script: new RecordingScript() };
}

/** A client with what it received; resolves when open. */
export class Client {
  readonly received = new Record<string>();
  readonly closed: Promise<{ code: number; reason: string }>;
  private constructor(readonly socket: WebSocket) {
    socket.on('message', (data: Buffer, binary) => this.received.push((binary ? 'b:' : '') + data.toString('latin1')));
    this.closed = new Promise((resolve) =>
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })),
    );
    socket.on('error', () => {});
  }
  static open(port: number, path = '/', options: object = {}): Promise<Client> {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, options);
    const client = new Client(socket);
    return new Promise((resolve, reject) => {
      socket.on('open', () => resolve(client));
      socket.on('error', reject);
      socket.on('unexpected-response', (_request, response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => reject(new Error(`${response.statusCode} ${body}`)));
      });
    });
  }
}

export class TestAudience implements Audience {
  readonly subscribers = new Set<Subscriber>();
  notes: unknown = null;
  constructor(
    readonly channel: string,
    private readonly gateway: Pick<Gateway, 'sockets'>,
  ) {}
  join(subscriber: Subscriber): void {
    this.subscribers.add(subscriber);
    this.gateway.sockets.joined(this, subscriber);
  }
  leave(subscriber: Subscriber): void {
    this.subscribers.delete(subscriber);
    this.gateway.sockets.left(this, subscriber);
  }
  publish(text: string, binary = false): { success: number; fail: number } {
    return this.gateway.sockets.deliver(this, { channel: this.channel, data: Buffer.from(text), binary });
  }
}

/** A raw TCP client. */
export function dial(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.once('error', reject);
  });
}
