/** One `socket` server of the configuration: raw TCP or TLS on node:net, with a protocol written in Lua. */
import { createServer, type ListenOptions, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type Server as TlsServer } from 'node:tls';
import type { ServerConfig } from '../config/schema.js';
import type { Cancel } from '../core/ports.js';
import { MeshError } from '../errors.js';
import { portError } from '../port.js';
import { certificateOf } from './certificate.js';
import { sweepIdle } from './idle.js';
import { type ServerOptions, Shared } from './limits.js';
import type { SocketScript } from './roles.js';
import { SocketConnection } from './socket-connection.js';

/** The Node.js that can share a TCP port between processes (net's `reusePort`). */
const SHARES_SINCE = [22, 12];

export class SocketServer {
  readonly protocol = 'socket';
  readonly connections = new Map<string, SocketConnection>();
  private readonly config: ServerConfig;
  /** The real port, once open. */
  port: number;
  private readonly shared: Shared<SocketScript>;
  private readonly server: Server | TlsServer;
  private readonly stopSweep: Cancel;

  constructor(private readonly options: ServerOptions<SocketScript>) {
    const { config } = options;
    this.config = config;
    this.port = config.port;
    this.shared = new Shared(options, 'socket');
    this.server = this.createServer();
    this.stopSweep = sweepIdle(
      options.clock,
      config.idleTimeoutSeconds,
      () => this.connections.values(),
      (tick) => {
        this.shared.tick = tick;
      },
    );
  }

  private createServer(): Server | TlsServer {
    const settings = { allowHalfOpen: false, noDelay: true, keepAlive: true, pauseOnConnect: false };
    const accept = (socket: Socket) => this.accept(socket);
    const { tls } = this.config;
    if (!tls.cert) return createServer(settings, accept);
    // A client that fails the TLS handshake is its own concern; the socket is closed by Node.js.
    return createTlsServer({ ...settings, ...certificateOf(tls) }, accept).on('tlsClientError', () => {});
  }

  /** Opens the port; a MeshError says why it could not. */
  async open(): Promise<void> {
    const { bind } = this.config;
    const target: ListenOptions & { reusePort?: boolean } = { port: this.port, host: bind };
    if (this.options.share) {
      if (!canShare()) {
        throw new MeshError(
          'invalid_argument',
          `port ${this.port} on ${bind} can't be shared by several processes: socket servers need Node.js ${SHARES_SINCE.join('.')} for that, this is ${process.versions.node}`,
        );
      }
      target.reusePort = true;
    }
    try {
      await new Promise<void>((resolve, reject) => {
        this.server.once('error', reject);
        this.server.listen(target, () => {
          this.server.off('error', reject);
          resolve();
        });
      });
    } catch (error) {
      throw await portError(bind, this.port, (error as NodeJS.ErrnoException).code);
    }
    this.server.on('error', (error) => this.options.log.error('client port failed', { port: this.port, error }));
    const address = this.server.address();
    if (address !== null && typeof address !== 'string') this.port = address.port;
  }

  private accept(socket: Socket): void {
    if (this.connections.size >= this.config.maxConnections) {
      this.shared.drop('connection_limit');
      socket.destroy();
      return;
    }
    const connection = new SocketConnection(this.options.newClientId(), socket, this.shared);
    this.connections.set(connection.id, connection);
    let failure: string | null = null;
    socket.on('data', (chunk) => connection.received(chunk));
    // 'close' follows.
    socket.on('error', (error: NodeJS.ErrnoException) => {
      failure = error.code ?? error.message;
    });
    socket.on('close', () => {
      this.connections.delete(connection.id);
      connection.closed(failure);
    });
    this.shared.callbacks.connected(connection);
  }

  /** Takes new files for new connections. */
  reloadTls(): void {
    const { tls } = this.config;
    if (tls.cert) (this.server as TlsServer).setSecureContext(certificateOf(tls));
  }

  /** Takes no new clients from here on; those that are there stay. */
  stopListening(): void {
    this.server.close();
  }

  /** Ends everything at once. */
  close(): void {
    this.stopListening();
    this.stopSweep();
    for (const connection of this.connections.values()) connection.cut();
  }
}

function canShare(): boolean {
  const [major, minor] = process.versions.node.split('.').map(Number);
  return major > SHARES_SINCE[0] || (major === SHARES_SINCE[0] && minor >= SHARES_SINCE[1]);
}
