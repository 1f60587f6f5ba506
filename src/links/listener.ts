/**
 * The port on which peers are awaited. The sockets are ours (plain or TLS) and are handed to grpc-js, so that a stranger who
 * connects and says nothing, or too many of them, are dealt with before any protocol runs, and a stalled peer can be cut.
 */

import type { ServerHttp2Stream } from 'node:http2';
import { createServer, isIPv6, type Server as NetServer, type Socket } from 'node:net';
import { createServer as createTlsServer, type TLSSocket, type Server as TlsServer } from 'node:tls';
import { type ConnectionInjector, Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import type { Log, Meter } from '../core/ports.js';
import { MeshError } from '../errors.js';
import type { Certificates } from './certificates.js';
import { PATHS } from './dial.js';
import type { GrpcStream } from './lane.js';
import { grpcOptions, type LinkLimits, type LinksOptions } from './options.js';

type PeerCall = ServerDuplexStream<Buffer, Buffer>;

export interface ListenerEvents {
  /** `problem`: why whoever called is no peer whatever it says; null when that is for it to prove. */
  called(lane: 'control' | 'data', call: GrpcStream, remote: string, problem: string | null): void;
}

const same = (bytes: Buffer) => bytes;
const METHODS = { requestStream: true, responseStream: true } as const;
const CODEC = {
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
} as const;

/** A handshake takes a tenth of this, TLS included. */
const OPENING_BYTES = 65_536;
const LOOK_MS = 100;

export class Listener {
  readonly #server: Server;
  readonly #injector: ConnectionInjector;
  readonly #sockets = new Map<string, Socket>();
  /** Sockets that are not yet part of an open link, with the watch on each. */
  readonly #opening = new Map<string, NodeJS.Timeout>();
  /** Connections whose certificate is not of our authority, and why not. They are told so, and nothing they say is read. */
  readonly #uncertified = new Map<string, string>();
  readonly #accept: NetServer | TlsServer;

  constructor(
    private readonly options: LinksOptions,
    private readonly limits: LinkLimits,
    private readonly certificates: Certificates | null,
    private readonly log: Log,
    private readonly meter: Meter,
    events: ListenerEvents,
  ) {
    const called = (lane: 'control' | 'data', call: PeerCall) => {
      const remote = call.getPeer();
      events.called(lane, call as unknown as GrpcStream, remote, this.#uncertified.get(remote) ?? null);
    };
    this.#server = new Server(grpcOptions(limits, limits.windowBytes));
    this.#server.addService(
      {
        Control: { path: PATHS.control, ...METHODS, ...CODEC },
        Data: { path: PATHS.data, ...METHODS, ...CODEC },
      },
      {
        Control: (call: PeerCall) => called('control', call),
        Data: (call: PeerCall) => {
          widen(call, limits.windowBytes);
          called('data', call);
        },
      },
    );
    this.#injector = this.#server.createConnectionInjector(ServerCredentials.createInsecure());
    this.#accept = this.#createAccept();
  }

  /** Rejects with a MeshError that names address and port when the port cannot be had. Resolves to the port. */
  listen(): Promise<number> {
    const { bind, port } = this.options;
    return new Promise((resolve, reject) => {
      this.#accept.once('error', (error: NodeJS.ErrnoException) => {
        const where = isIPv6(bind) ? `[${bind}]:${port}` : `${bind}:${port}`;
        const taken = 'another process listens there. Free it, or set another';
        const why = error.code === 'EADDRINUSE' ? taken : error.message;
        reject(
          new MeshError('invalid_argument', `cannot await peers on ${where} (cluster.bind, cluster.port): ${why}`),
        );
      });
      this.#accept.listen({ host: bind, port, backlog: 511 }, () => {
        resolve((this.#accept.address() as { port: number }).port);
      });
    });
  }

  /** The socket belongs to an open link now; its time bound ends. */
  adopt(remote: string): void {
    clearInterval(this.#opening.get(remote));
    this.#opening.delete(remote);
  }

  sever(remote: string): void {
    this.#sockets.get(remote)?.destroy();
  }

  /** Takes no more connections and cuts those that are left. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#accept.close(() => resolve()));
    for (const timer of this.#opening.values()) clearInterval(timer);
    for (const socket of this.#sockets.values()) socket.destroy();
    this.#injector.destroy();
    this.#server.forceShutdown();
    await closed;
  }

  #createAccept(): NetServer | TlsServer {
    if (this.certificates === null) {
      return createServer({ noDelay: true, keepAlive: true }, (socket) => {
        if (this.#arrived(socket)) this.#injector.injectConnection(socket);
      });
    }
    const server = createTlsServer({
      ...this.certificates.pem,
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['h2'],
      requestCert: true,
      rejectUnauthorized: false,
      handshakeTimeout: this.limits.openMs,
      noDelay: true,
      keepAlive: true,
    });
    server.on('connection', (socket: Socket) => this.#arrived(socket));
    server.on('secureConnection', (socket: TLSSocket) => {
      if (!socket.authorized) {
        this.#uncertified.set(remoteOf(socket), `has a certificate that is not accepted: ${socket.authorizationError}`);
      }
      this.#injector.injectConnection(socket);
    });
    server.on('tlsClientError', (error: Error, socket: TLSSocket & { _parent?: Socket }) => {
      this.meter.count('drops_total', 1, 'peer_denied');
      // The secured socket has forgotten its peer by now, the one under it has not.
      this.log.warn('peer refused', { remote: remoteOf(socket._parent ?? socket), why: `TLS: ${error.message}` });
    });
    this.certificates.onChange((pem) => server.setSecureContext({ ...pem, minVersion: 'TLSv1.2' }));
    return server;
  }

  #arrived(socket: Socket): boolean {
    const remote = remoteOf(socket);
    socket.on('error', () => {});
    if (this.#opening.size >= this.limits.maxOpening) {
      this.meter.count('drops_total', 1, 'peer_openings');
      this.log.warn('peer refused', { remote, why: `${this.#opening.size} other connections are being opened` });
      socket.destroy();
      return false;
    }
    this.#sockets.set(remote, socket);
    this.#opening.set(remote, this.#watchOpening(socket, remote));
    socket.once('close', () => {
      this.adopt(remote);
      this.#sockets.delete(remote);
      this.#uncertified.delete(remote);
    });
    return true;
  }

  /** gRPC would gather a whole message for a stranger before anybody looks at it, so both its time and its bytes are bounded. */
  #watchOpening(socket: Socket, remote: string): NodeJS.Timeout {
    const { openMs } = this.limits;
    const until = performance.now() + openMs;
    const look = () => {
      let why: string | null = null;
      if (socket.bytesRead > OPENING_BYTES) why = `${socket.bytesRead} bytes without being authenticated`;
      else if (performance.now() >= until) why = `not authenticated within ${openMs} ms`;
      if (why === null) return;
      this.meter.count('drops_total', 1, 'peer_silent');
      this.log.warn('peer refused', { remote, why });
      socket.destroy();
    };
    return setInterval(look, Math.min(LOOK_MS, openMs));
  }
}

/** The same text as grpc-js's getPeer, which finds the socket of a call. */
function remoteOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

/**
 * Lets a dialer have more than 64 KB under way on the data lane. grpc-js has an option for it on the dialing side only, so
 * this reaches for the HTTP/2 stream of the call; where a later version hides it, links stay correct with the small window.
 */
function widen(call: PeerCall, windowBytes: number): void {
  const { stream } = (call as unknown as { call?: { stream?: ServerHttp2Stream } }).call ?? {};
  stream?.session?.setLocalWindowSize(windowBytes);
  stream?.session?.settings({ initialWindowSize: windowBytes });
}
