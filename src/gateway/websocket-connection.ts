/**
 * One WebSocket client. It is small, because there may be a hundred thousand of it: no timers, no closures, no sets of its own.
 *
 * Pausing: uWebSockets.js can't stop reading from a WebSocket (its maintainer: reading can't stop without writing because of
 * TLS; only HTTP bodies have pause). So a paused connection keeps what arrives, up to the server's maxBackpressureBytes;
 * a client that sends more than that while its messages are not taken is closed with 1008 and counted.
 */
import type { TemplatedApp, WebSocket } from 'uWebSockets.js';
import type { Message } from '../core/message.js';
import { asked, type Ending, errorOfClose, IDLE, SLOW_CONSUMER, TOO_LARGE, UNREAD } from './close.js';
import type { Shared } from './limits.js';
import type { Connection, SendOutcome, WebSocketScript } from './roles.js';

/** What a held message costs beside its bytes, so that empty messages are bounded as well. */
const HELD_OVERHEAD = 128;

/** Messages that came while reading was paused. */
interface Held {
  messages: { data: Uint8Array; binary: boolean }[];
  bytes: number;
}

/** A message that waits for the end of the turn; a list, because most sockets get one message per turn. */
interface Queued {
  readonly data: Uint8Array;
  readonly binary: boolean;
  next: Queued | null;
}

/** What uWebSockets.js carries for us with each of its sockets. */
export interface Attached {
  readonly connection: WebSocketConnection;
}

export class WebSocketConnection implements Connection {
  script: unknown = null;
  /** The idle sweep's number when the client was last heard of. */
  heard: number;
  /** Null before the handshake's end and after the close. */
  private ws: WebSocket<Attached> | null = null;
  private ending: Ending | null = null;
  private held: Held | null = null;
  private paused = false;
  /** Sends that leave at the end of the turn. */
  private first: Queued | null = null;
  private last: Queued | null = null;
  private queuedBytes = 0;

  constructor(
    readonly id: string,
    readonly remoteAddress: string,
    /** Owner of this connection's native topics. */
    readonly app: TemplatedApp,
    readonly shared: Shared<WebSocketScript>,
  ) {
    this.heard = shared.tick;
  }

  get protocol(): 'websocket' {
    return 'websocket';
  }

  get isOpen(): boolean {
    return this.ws !== null && this.ending === null;
  }

  /** Bytes that wait for the client. */
  get waiting(): number {
    return this.ws === null ? 0 : this.ws.getBufferedAmount() + this.queuedBytes;
  }

  opened(ws: WebSocket<Attached>): void {
    this.ws = ws;
    this.heard = this.shared.tick;
  }

  send(data: Uint8Array, binary: boolean): SendOutcome {
    const refused = this.refusal(data.length);
    if (refused !== null) return refused;
    // A copy, because `data` is lent. (Not slice(): that of a Buffer copies nothing.)
    if (this.shared.inside !== this) this.queue(new Uint8Array(data), binary);
    else {
      // The library gathers what is sent within the read of the same socket, and copies it.
      this.flush();
      this.ws?.send(data, binary);
    }
    return 'sent';
  }

  deliver(data: Uint8Array, binary: boolean): SendOutcome {
    return this.send(data, binary);
  }

  take(message: Message): boolean {
    if (this.refusal(message.data.length) !== null) return false;
    this.queue(message.data, message.binary);
    return true;
  }

  /** Why so many bytes can't be sent now; null when they can. */
  private refusal(bytes: number): SendOutcome | null {
    if (this.ws === null || this.ending !== null) {
      this.shared.drop('closed');
      return 'closed';
    }
    const waiting = this.ws.getBufferedAmount() + this.queuedBytes;
    // A message larger than the whole bound still goes to a client that has nothing waiting.
    return waiting > 0 && waiting + bytes > this.shared.bound ? this.overBound() : null;
  }

  private queue(data: Uint8Array, binary: boolean): void {
    const queued = { data, binary, next: null };
    if (this.last === null) {
      this.first = queued;
      this.shared.turn.send(this);
    } else this.last.next = queued;
    this.last = queued;
    this.queuedBytes += data.length;
  }

  /** Hands what waits to the socket: in one write, where it fits. Called by the turn. */
  flush(): void {
    const ws = this.ws;
    const first = this.first;
    if (first === null) return;
    this.first = null;
    this.last = null;
    this.queuedBytes = 0;
    if (ws === null) return;
    if (first.next === null) ws.send(first.data, first.binary);
    else ws.cork(() => sendAll(ws, first));
  }

  private overBound(): SendOutcome {
    if (!this.shared.closeSlow) {
      this.shared.drop('slow_consumer_skipped');
      return 'dropped';
    }
    this.shared.drop('slow_consumer');
    this.end(SLOW_CONSUMER);
    return 'slow_consumer';
  }

  close(code = 1000, reason = ''): void {
    this.end(asked(code, reason));
  }

  /** Closes at the end of the turn; what was sent before is sent first. */
  end(ending: Ending): void {
    if (!this.isOpen) return;
    this.ending = ending;
    // A slow consumer is found in the middle of a delivery, whose subscribers stay as they are.
    if (ending !== SLOW_CONSUMER) this.shared.unsubscribe(this);
    this.shared.turn.atEnd(() => this.ws?.end(ending.code, ending.reason));
  }

  /** A message came in. */
  received(message: ArrayBuffer, binary: boolean): void {
    const { shared } = this;
    this.heard = shared.tick;
    if (this.ending !== null) return;
    if (message.byteLength > shared.maxPayload) {
      shared.drop('too_large');
      return this.end(TOO_LARGE);
    }
    shared.countReceived();
    const data = new Uint8Array(message);
    if (this.paused || this.held !== null) this.hold(data.slice(), binary);
    else {
      shared.inside = this;
      shared.callbacks.message(this, data, binary);
      shared.inside = null;
    }
  }

  private hold(data: Uint8Array, binary: boolean): void {
    this.held ??= { messages: [], bytes: 0 };
    this.held.bytes += data.length + HELD_OVERHEAD;
    if (this.held.bytes > this.shared.bound) {
      this.shared.drop('unanswered');
      this.end(UNREAD);
    } else this.held.messages.push({ data, binary });
  }

  pause(): void {
    this.paused = true;
  }

  resume(): void {
    if (!this.paused) return;
    this.paused = false;
    if (this.held !== null) this.shared.turn.atEnd(() => this.releaseHeld());
  }

  private releaseHeld(): void {
    const { held } = this;
    if (held === null) return;
    let next = 0;
    while (next < held.messages.length && !this.paused && this.isOpen) {
      const { data, binary } = held.messages[next++];
      held.bytes -= data.length + HELD_OVERHEAD;
      this.shared.callbacks.message(this, data, binary);
    }
    held.messages.splice(0, next);
    if (held.messages.length === 0 || !this.isOpen) this.held = null;
  }

  /** The client pinged; uWebSockets.js has answered. A client that only pings and never reads must not fill the memory. */
  pinged(): void {
    this.heard = this.shared.tick;
    if (this.waiting > this.shared.bound && this.isOpen) {
      this.shared.drop('slow_consumer');
      this.end(SLOW_CONSUMER);
    }
  }

  ponged(): void {
    this.heard = this.shared.tick;
  }

  ping(): void {
    this.ws?.ping();
  }

  expire(): void {
    if (!this.isOpen) return;
    this.shared.drop('idle_timeout');
    this.end(IDLE);
  }

  subscribe(topic: string): void {
    this.ws?.subscribe(topic);
  }

  unsubscribe(topic: string): void {
    this.ws?.unsubscribe(topic);
  }

  /** The socket is gone; nothing may be sent from here on. */
  closed(code: number, reason: string): void {
    const error = this.ending === null ? errorOfClose(code, reason) : this.ending.error;
    if (this.ending === null && error === TOO_LARGE.error) this.shared.drop('too_large');
    this.ws = null;
    this.held = null;
    this.shared.unsubscribe(this);
    this.shared.callbacks.closed(this, error);
  }
}

function sendAll(ws: WebSocket<Attached>, first: Queued): void {
  for (let queued: Queued | null = first; queued !== null; queued = queued.next) ws.send(queued.data, queued.binary);
}
