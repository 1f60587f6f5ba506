/**
 * One `websocket` server of the configuration, on uWebSockets.js: opens the port, lets the script judge each handshake, and
 * passes on what its clients send. Oversize messages are closed with 1009; uWebSockets.js itself would close without a word,
 * so it is told a higher limit (messages beyond that one end with 1006).
 */
import uWS, {
  type HttpRequest,
  type HttpResponse,
  type TemplatedApp,
  type us_listen_socket,
  type us_socket_context_t,
  type WebSocket,
  type WebSocketBehavior,
} from 'uWebSockets.js';
import type { ServerConfig } from '../config/schema.js';
import type { Cancel } from '../core/ports.js';
import { MeshError } from '../errors.js';
import { listenOn, openPort } from '../port.js';
import { certificateOf } from './certificate.js';
import { RESTART } from './close.js';
import { Handshake, refuse, remoteAddressOf, requestOf } from './handshake.js';
import { SWEEPS, sweepIdle } from './idle.js';
import { type ServerOptions, Shared } from './limits.js';
import type { WebSocketScript } from './roles.js';
import { type Attached, WebSocketConnection } from './websocket-connection.js';

/** How far beyond maxPayloadBytes a message may go and still be answered with 1009. */
const PAYLOAD_SLACK = 4 * 1024 * 1024;
/** uWebSockets.js' own timer, the last resort for a closed client that never takes its last bytes: its longest setting. */
const NATIVE_IDLE_MAX = 960;

export class WebSocketServer {
  readonly protocol = 'websocket';
  readonly connections = new Map<string, WebSocketConnection>();
  private readonly config: ServerConfig;
  /** The real port, once open. */
  port: number;
  private readonly shared: Shared<WebSocketScript>;
  private readonly path: string;
  private readonly handshakes = new Set<Handshake>();
  private readonly stopSweep: Cancel;
  private app: TemplatedApp;
  private listening: us_listen_socket | null = null;
  /** Apps with an earlier certificate. */
  private replaced: TemplatedApp[] = [];
  private draining = false;

  constructor(private readonly options: ServerOptions<WebSocketScript>) {
    const { config } = options;
    this.config = config;
    this.port = config.port;
    this.path = String(config.options.find(({ name }) => name === 'path')?.value ?? '/');
    this.shared = new Shared(options, 'websocket');
    this.app = this.createApp();
    this.stopSweep = sweepIdle(
      options.clock,
      config.idleTimeoutSeconds,
      () => this.connections.values(),
      (tick) => this.beginSweep(tick),
    );
  }

  /** Opens the port; a MeshError says why it could not. */
  async open(): Promise<void> {
    this.port = await openPort(this.config.bind, this.config.port, (port) => this.listen(port));
  }

  private listen(port: number): boolean {
    this.listening = listenOn(this.app, this.config.bind, port, this.options.share);
    return this.listening !== null;
  }

  private createApp(): TemplatedApp {
    const { tls } = this.config;
    // The library ends the process over files it can't use, so they are checked first.
    if (tls.cert) certificateOf(tls);
    const app = tls.cert
      ? uWS.SSLApp({ cert_file_name: tls.cert, key_file_name: tls.key, ssl_prefer_low_memory_usage: true })
      : uWS.App();
    app.ws('/*', this.behavior(app));
    app.any('/*', (res, req) => this.refusePlain(res, req));
    return app;
  }

  private behavior(app: TemplatedApp): WebSocketBehavior<Attached> {
    const { config } = this;
    return {
      maxPayloadLength: config.maxPayloadBytes + PAYLOAD_SLACK,
      idleTimeout: nativeIdle(config.idleTimeoutSeconds),
      sendPingsAutomatically: false,
      // Bounds are kept by WebSocketConnection and Topic, which can count and can still say why they close.
      maxBackpressure: 0,
      upgrade: (res, req, context) => this.upgrade(app, res, req, context),
      open: (ws) => {
        const connection = connectionOf(ws);
        this.connections.set(connection.id, connection);
        connection.opened(ws);
        if (this.draining) connection.end(RESTART);
      },
      message: (ws, message, binary) => connectionOf(ws).received(message, binary),
      ping: (ws) => connectionOf(ws).pinged(),
      pong: (ws) => connectionOf(ws).ponged(),
      close: (ws, code, message) => {
        const connection = connectionOf(ws);
        this.connections.delete(connection.id);
        connection.closed(code, Buffer.from(message).toString());
      },
    };
  }

  private upgrade(app: TemplatedApp, res: HttpResponse, req: HttpRequest, context: us_socket_context_t): void {
    const url = req.getUrl();
    if (url !== this.path) return refuse(res, 404, this.notHere(url));
    if (this.draining) return refuse(res, 503, 'This node is leaving; connect to another one.\n');
    const { maxConnections } = this.config;
    if (this.connections.size + this.handshakes.size >= maxConnections) {
      this.shared.drop('connection_limit');
      return refuse(res, 503, `This server is full: it takes ${maxConnections} connections.\n`);
    }
    const remoteAddress = remoteAddressOf(res);
    const connection = new WebSocketConnection(this.options.newClientId(), remoteAddress, app, this.shared);
    const request = requestOf(req, remoteAddress);
    const handshake = new Handshake(connection, res, req, context, (over) => this.handshakes.delete(over));
    this.handshakes.add(handshake);
    this.shared.callbacks.handshake(connection, request, (verdict) => handshake.decide(verdict));
  }

  private refusePlain(res: HttpResponse, req: HttpRequest): void {
    const url = req.getUrl();
    if (url !== this.path) return refuse(res, 404, this.notHere(url));
    refuse(res, 426, `${this.path} speaks WebSocket only: send an upgrade request.\n`, ['upgrade', 'websocket']);
  }

  private notHere(url: string): string {
    return `Nothing is at ${url.slice(0, 200)}: this server speaks WebSocket at ${this.path}.\n`;
  }

  private beginSweep(tick: number): void {
    this.shared.tick = tick;
    if (this.config.idleTimeoutSeconds === 0) return;
    for (const handshake of this.handshakes) {
      if (tick - handshake.connection.heard <= SWEEPS) continue;
      this.shared.drop('handshake_timeout');
      handshake.decide({ accept: false, status: 503, body: 'The handshake was not answered in time.\n' });
    }
  }

  /**
   * Takes new files for new connections. An app keeps its certificate for ever, so a new app takes over the port; the old one
   * keeps its clients until the last has gone.
   */
  reloadTls(): void {
    if (!this.config.tls.cert || this.listening === null) return;
    const before = { app: this.app, listening: this.listening };
    this.app = this.createApp();
    uWS.us_listen_socket_close(before.listening);
    this.listening = null;
    if (!this.listen(this.port))
      throw new MeshError('internal', `port ${this.port} was lost while its certificate was replaced`);
    this.replaced.push(before.app);
    this.closeDeserted();
  }

  /** Closes apps with an earlier certificate whose last client has gone. */
  private closeDeserted(): void {
    const used = new Set([...this.connections.values()].map(({ app }) => app));
    for (const app of this.replaced) if (!used.has(app)) app.close();
    this.replaced = this.replaced.filter((app) => used.has(app));
  }

  /** Takes no new clients from here on; those that are there stay. */
  stopListening(): void {
    this.draining = true;
    if (this.listening !== null) uWS.us_listen_socket_close(this.listening);
    this.listening = null;
  }

  /** Ends everything at once. */
  close(): void {
    this.stopListening();
    this.stopSweep();
    for (const app of [...this.replaced, this.app]) app.close();
  }
}

/** Longer than ours, so that it never decides over a client that could still be told; 0 (none) where it can't be. */
function nativeIdle(seconds: number): number {
  const longer = Math.ceil(seconds * 1.25) + 8;
  return seconds > 0 && longer <= NATIVE_IDLE_MAX ? longer : 0;
}

/** uWebSockets.js copies what was attached at the upgrade onto its own object; reading it there is no native call. */
function connectionOf(ws: WebSocket<Attached>): WebSocketConnection {
  return (ws as WebSocket<Attached> & Attached).connection;
}
