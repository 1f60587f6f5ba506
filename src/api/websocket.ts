/**
 * The WebSocket API (`/ws/v1`): the same calls as over HTTP, many at a time on one connection, and what only a connection can
 * have: consuming the queue and subscribing to channels. session.ts is one connection; this file is what they share.
 */
import uWS, { type HttpRequest, type HttpResponse, type TemplatedApp, type us_socket_context_t } from 'uWebSockets.js';
import type { ApiConfig } from '../config/schema.js';
import { MeshError } from '../errors.js';
import { Exchange } from './exchange.js';
import type { Gate } from './gate.js';
import type { Operations } from './operations.js';
import type { Queue } from './queue.js';
import type { Backplane } from './roles.js';
import { Session, type SessionSocket } from './session.js';

export interface WebSocketShell {
  readonly gate: Gate;
  readonly operations: Operations;
  readonly backplane: Backplane;
  readonly queue: Queue;
  readonly limits: ApiConfig;
  now(): number;
}

export const WEBSOCKET_PATH = '/ws/v1';
const IDLE_SECONDS = 120;
const DRAINING = 1012;

export class WebSocketApi {
  private readonly sessions = new Set<Session>();
  /** Sessions with answers that came after their message was handled; written together at the end of the turn. */
  private waiting: Session[] = [];

  constructor(private readonly shell: WebSocketShell) {}

  get connections(): number {
    return this.sessions.size;
  }

  route(app: TemplatedApp): void {
    const { limits, backplane } = this.shell;
    app.ws<{ session: Session }>(WEBSOCKET_PATH, {
      // A message over the limit gets its error as long as it is not absurd; beyond that uWebSockets.js closes the connection.
      maxPayloadLength: limits.maxBodyBytes * 2,
      // A subscriber over the bound is closed with a word (session.ts); beyond twice the bound the connection is cut.
      maxBackpressure: limits.maxBackpressureBytes * 2,
      closeOnBackpressureLimit: true,
      idleTimeout: IDLE_SECONDS,
      sendPingsAutomatically: true,
      compression: uWS.DISABLED,
      upgrade: (res, req, context) => this.upgrade(res, req, context),
      open: (ws) => {
        const session = ws.getUserData().session;
        this.sessions.add(session);
        session.opened(ws as unknown as SessionSocket);
      },
      message: (ws, bytes, isBinary) => ws.getUserData().session.received(bytes, isBinary),
      drain: (ws) => ws.getUserData().session.drained(),
      dropped: () => backplane.meter.count('drops_total', 1, 'slow_back_end'),
      close: (ws) => {
        const session = ws.getUserData().session;
        this.sessions.delete(session);
        session.closed();
      },
    });
  }

  /** Users have changed. */
  recheck(): void {
    for (const session of [...this.sessions]) session.recheck();
  }

  /** Asks every back end to go to another node; each finishes what it is answered within this turn. */
  drain(): void {
    for (const session of [...this.sessions]) session.end(DRAINING, 'draining');
  }

  private upgrade(res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const { gate, limits } = this.shell;
    const exchange = new Exchange(gate, res, req);
    const key = req.getHeader('sec-websocket-key');
    const protocol = req.getHeader('sec-websocket-protocol');
    const extensions = req.getHeader('sec-websocket-extensions');
    exchange.login((caller) => {
      if (gate.draining) return exchange.refuse(new MeshError('not_ready', 'this node is draining', 1));
      if (this.sessions.size >= limits.maxConnections) {
        return exchange.refuse(
          new MeshError('overloaded', `${limits.maxConnections} connections (api.maxConnections)`, 1),
        );
      }
      const session = new Session(this.shell, caller, exchange.address, (late) => this.flushLater(late));
      exchange.leave(() => res.upgrade({ session }, key, protocol, extensions, context));
    });
  }

  private flushLater(session: Session): void {
    if (this.waiting.push(session) > 1) return;
    setImmediate(() => {
      const due = this.waiting;
      this.waiting = [];
      for (const late of due) late.flush();
    });
  }
}
