/**
 * One raw TCP client (node:net). The protocol is the script's: it gets the bytes as they come and frames what is delivered.
 * Everything written within one event-loop turn leaves as one write.
 */
import type { Socket } from 'node:net';
import type { Message } from '../core/message.js';
import { endpoint } from './address.js';
import { asked, type Ending, IDLE, SLOW_CONSUMER } from './close.js';
import type { Shared } from './limits.js';
import type { Connection, SendOutcome, SocketScript } from './roles.js';

export class SocketConnection implements Connection {
  script: unknown = null;
  /** The idle sweep's number when the client was last heard of. */
  heard: number;
  readonly remoteAddress: string;
  private ending: Ending | null = null;
  private gone = false;
  private corked = false;

  constructor(
    readonly id: string,
    private readonly socket: Socket,
    readonly shared: Shared<SocketScript>,
  ) {
    this.remoteAddress = endpoint(socket.remoteAddress ?? 'unknown', socket.remotePort ?? 0);
    this.heard = shared.tick;
  }

  get protocol(): 'socket' {
    return 'socket';
  }

  get isOpen(): boolean {
    return !this.gone && this.ending === null;
  }

  received(chunk: Uint8Array): void {
    this.heard = this.shared.tick;
    if (!this.isOpen) return;
    this.shared.countReceived();
    this.shared.callbacks.received(this, chunk);
  }

  send(data: Uint8Array): SendOutcome {
    // Node.js keeps what the kernel does not take at once, and `data` is only lent.
    return this.write(Buffer.from(data));
  }

  deliver(data: Uint8Array): SendOutcome {
    if (!this.isOpen) return this.refuseClosed();
    const framed = this.shared.callbacks.encode(this, data);
    if (framed === null) {
      this.shared.drop('encode_failed');
      return 'refused';
    }
    return this.write(Buffer.from(framed));
  }

  take(message: Message): boolean {
    return this.deliver(message.data) === 'sent';
  }

  /** `data` is ours. */
  private write(data: Buffer): SendOutcome {
    const { socket, shared } = this;
    if (!this.isOpen) return this.refuseClosed();
    const waiting = socket.writableLength;
    // As with WebSocket: something larger than the whole bound still goes to a client that has nothing waiting.
    if (waiting > 0 && waiting + data.length > shared.bound) return this.overBound();
    if (!this.corked) {
      this.corked = true;
      socket.cork();
      shared.turn.atEnd(this.uncork);
    }
    socket.write(data);
    return 'sent';
  }

  private readonly uncork = (): void => {
    this.corked = false;
    this.socket.uncork();
  };

  private refuseClosed(): SendOutcome {
    this.shared.drop('closed');
    return 'closed';
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

  /** TCP carries no code and no reason; they are for WebSocket. */
  close(code = 1000, reason = ''): void {
    this.end(asked(code, reason));
  }

  /** Ends after what is queued; a client that is given up (slow, silent) is cut off, because it would never take the queue. */
  end(ending: Ending): void {
    if (!this.isOpen) return;
    this.ending = ending;
    this.heard = this.shared.tick;
    // A slow consumer is found in the middle of a delivery, whose subscribers stay as they are.
    if (ending !== SLOW_CONSUMER) this.shared.unsubscribe(this);
    this.shared.turn.atEnd(() => {
      if (ending === SLOW_CONSUMER || ending === IDLE) this.socket.destroy();
      else this.socket.end();
    });
  }

  /** Without a farewell. */
  cut(): void {
    this.socket.destroy();
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Raw TCP has no ping; what keeps a connection alive is the script's protocol. */
  ping(): void {}

  /** Silent for the whole timeout; one that was closed and did not take its last bytes in that time is cut off as well. */
  expire(): void {
    if (this.ending !== null) this.socket.destroy();
    else {
      this.shared.drop('idle_timeout');
      this.end(IDLE);
    }
  }

  /** The socket is gone. `error` is the network's. */
  closed(error: string | null): void {
    this.gone = true;
    this.shared.unsubscribe(this);
    this.shared.callbacks.closed(this, this.ending === null ? error : this.ending.error);
  }
}
