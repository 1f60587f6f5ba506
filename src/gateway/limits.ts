/** What all connections of one server share: its limits, the numbers it keeps, and the moment of the idle sweep. */
import type { ServerConfig } from '../config/schema.js';
import type { Clock, Log, Meter, Subscriber } from '../core/ports.js';
import type { Turn } from './turn.js';

/** What a server is made of. */
export interface ServerOptions<Callbacks> {
  readonly config: ServerConfig;
  readonly script: Callbacks;
  /** The port may be shared with other processes of this machine. */
  readonly share: boolean;
  readonly clock: Clock;
  readonly log: Log;
  readonly meter: Meter;
  readonly turn: Turn;
  readonly newClientId: () => string;
  readonly unsubscribe: (subscriber: Subscriber) => void;
}

export class Shared<Callbacks> {
  readonly config: ServerConfig;
  /** Bound of what may wait for one client, in bytes. */
  readonly bound: number;
  /** A client over its bound is closed; else its messages are dropped. */
  readonly closeSlow: boolean;
  readonly maxPayload: number;
  readonly callbacks: Callbacks;
  readonly turn: Turn;
  /** Takes a connection off all its channels: it is about to be closed, or gone. Safe to call twice. */
  readonly unsubscribe: (subscriber: Subscriber) => void;
  /** Number of the present idle sweep: a connection notes it when it hears from its client. */
  tick = 0;
  /** The connection whose message a script is handling right now. */
  inside: unknown = null;
  private readonly meter: Meter;
  private received = 0;
  private wideTurn = 0;
  private wideInTurn = 0;

  constructor(
    { config, script, meter, turn, unsubscribe }: ServerOptions<Callbacks>,
    private readonly protocol: 'websocket' | 'socket',
  ) {
    this.config = config;
    this.bound = config.maxBackpressureBytes;
    this.closeSlow = config.onSlow === 'close';
    this.maxPayload = config.maxPayloadBytes;
    this.callbacks = script;
    this.meter = meter;
    this.turn = turn;
    this.unsubscribe = unsubscribe;
  }

  /** Counts a message from a client; the meter learns of it once per turn. */
  countReceived(): void {
    if (this.received++ === 0) this.turn.atEnd(this.reportReceived);
  }

  private readonly reportReceived = (): void => {
    this.meter.count('messages_received_total', this.received, this.protocol);
    this.received = 0;
  };

  /** Bytes that native topics have brought, or will bring, any one client within this turn, at most. */
  wideBytes(turnNumber: number): number {
    if (this.wideTurn !== turnNumber) {
      this.wideTurn = turnNumber;
      this.wideInTurn = 0;
    }
    return this.wideInTurn;
  }

  addWideBytes(bytes: number): void {
    this.wideInTurn += bytes;
  }

  drop(reason: string): void {
    this.meter.count('drops_total', 1, reason);
  }
}
