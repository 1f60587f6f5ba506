/** A ScriptHost that remembers what a script did, with connections that remember what they were sent. */
import type { PublishResult, SubscribeOutcome } from '../../src/core/message.js';
import type { ScriptConnection, ScriptHost } from '../../src/scripting/roles.js';

export class FakeConnection implements ScriptConnection {
  readonly remoteAddress = '127.0.0.1:40000';
  isOpen = true;
  script: unknown = null;
  readonly sent: { text: string; bytes: Buffer; binary: boolean }[] = [];
  readonly closes: { code: number | undefined; reason: string | undefined }[] = [];
  pauses = 0;
  resumes = 0;
  onClose: (() => void) | undefined;

  constructor(
    readonly id: string,
    readonly protocol: 'websocket' | 'socket' = 'websocket',
  ) {}

  send(data: Uint8Array, binary: boolean): 'sent' | 'closed' {
    if (!this.isOpen) return 'closed';
    const bytes = Buffer.from(data);
    this.sent.push({ text: bytes.toString(), bytes, binary });
    return 'sent';
  }
  close(code?: number, reason?: string): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.closes.push({ code, reason });
    this.onClose?.();
  }
  pause(): void {
    this.pauses++;
  }
  resume(): void {
    this.resumes++;
  }
  get texts(): string[] {
    return this.sent.map(({ text }) => text);
  }
}

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class FakeHost implements ScriptHost {
  readonly lines: LogLine[] = [];
  readonly counts = new Map<string, number>();
  readonly published: { channel: string; text: string; bytes: Buffer; binary: boolean }[] = [];
  readonly sends: { clientId: string; text: string; binary: boolean }[] = [];
  readonly pushed: { topic: string; clientId: string; json: string }[] = [];
  readonly subscriptions: string[] = [];
  readonly connections = new Map<string, FakeConnection>();
  /** Waits of subscribe and publish that a test lets go; at once while `immediate`. */
  immediate = true;
  readonly held: (() => void)[] = [];
  subscribeOutcome: SubscribeOutcome = { ok: true, degraded: false };
  publishResult: PublishResult = { success: 1, fail: 0, unconfirmed: [] };

  readonly log = {
    debug: (message: string, fields = {}) => this.line('debug', message, fields),
    info: (message: string, fields = {}) => this.line('info', message, fields),
    warn: (message: string, fields = {}) => this.line('warn', message, fields),
    error: (message: string, fields = {}) => this.line('error', message, fields),
  };
  readonly meter = {
    count: (name: string, by = 1, label = '') => {
      const key = label === '' ? name : `${name}:${label}`;
      this.counts.set(key, (this.counts.get(key) ?? 0) + by);
    },
    observe: () => undefined,
  };

  open(id: string, protocol: 'websocket' | 'socket' = 'websocket'): FakeConnection {
    const connection = new FakeConnection(id, protocol);
    this.connections.set(id, connection);
    return connection;
  }
  /** Lets go of everything that waits. */
  release(): void {
    for (const go of this.held.splice(0)) go();
  }
  get errors(): string[] {
    return this.lines
      .filter(({ level }) => level === 'error')
      .map(({ message, fields }) => `${message}: ${fields.error ?? fields.problem}`);
  }

  subscribe(connection: ScriptConnection, channel: string, done: (outcome: SubscribeOutcome) => void): void {
    this.subscriptions.push(`${connection.id} + ${channel}`);
    this.answer(() => done(this.subscribeOutcome));
  }
  unsubscribe(connection: ScriptConnection, channel: string): void {
    this.subscriptions.push(`${connection.id} - ${channel}`);
  }
  unsubscribeAll(connection: ScriptConnection, kind: 'channel' | 'pattern'): void {
    this.subscriptions.push(`${connection.id} - every ${kind}`);
  }
  publish(
    channel: string,
    data: Uint8Array,
    binary: boolean,
    done: ((result: PublishResult) => void) | null,
  ): string | null {
    if (channel === 'refused') return 'the queue is full';
    const bytes = Buffer.from(data);
    this.published.push({ channel, text: bytes.toString(), bytes, binary });
    if (done !== null) this.answer(() => done(this.publishResult));
    return null;
  }
  send(clientId: string, data: Uint8Array, binary: boolean, done: (error: string | null) => void): void {
    this.sends.push({ clientId, text: Buffer.from(data).toString(), binary });
    this.answer(() => done(this.connections.has(clientId) ? null : 'no such connection'));
  }
  connection(clientId: string): ScriptConnection | undefined {
    return this.connections.get(clientId);
  }
  queuePush(
    topic: string,
    clientId: string,
    json: string,
  ): { ok: true; length: number } | { ok: false; error: string } {
    if (topic === 'full') return { ok: false, error: 'queue full' };
    this.pushed.push({ topic, clientId, json });
    return { ok: true, length: this.pushed.length };
  }

  private line(level: LogLine['level'], message: string, fields: Readonly<Record<string, unknown>>): void {
    this.lines.push({ level, message, fields });
  }
  private answer(go: () => void): void {
    if (this.immediate) go();
    else this.held.push(go);
  }
}
