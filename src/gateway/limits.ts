/** What all connections of one server share: its limits, the numbers it keeps, and the moment of the idle sweep. */
import type { ServerConfig } from '../config/schema.js';
import type { Meter } from '../core/ports.js';
import type { Turn } from './turn.js';

/** The part of a server's configuration that the gateway reads. */
export type ListenConfig = Pick<
  ServerConfig,
  | 'port'
  | 'bind'
  | 'options'
  | 'idleTimeoutSeconds'
  | 'maxPayloadBytes'
  | 'maxBackpressureBytes'
  | 'onSlow'
  | 'maxConnections'
  | 'tls'
>;

export class Shared<Callbacks> {
  /** Bound of what may wait for one client, in bytes. */
  readonly bound: number;
  /** A client over its bound is closed; else its messages are dropped. */
  readonly closeSlow: boolean;
  readonly maxPayload: number;
  /** Number of the present idle sweep: a connection notes it when it hears from its client. */
  tick = 0;
  private received = 0;
  private wideTurn = 0;
  private wideInTurn = 0;

  constructor(
    config: ListenConfig,
    readonly protocol: 'websocket' | 'socket',
    readonly callbacks: Callbacks,
    readonly meter: Meter,
    readonly turn: Turn,
  ) {
    this.bound = config.maxBackpressureBytes;
    this.closeSlow = config.onSlow === 'close';
    this.maxPayload = config.maxPayloadBytes;
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
