/**
 * What grpc-js calls channel credentials, ours: TCP as it is, or mutual TLS. It also remembers the socket, so that a stalled
 * connection can be cut, and the TLS error, so that a wrong certificate is told from a network that does not answer.
 */
import type { Socket } from 'node:net';
import { connect, type SecureContext } from 'node:tls';
import { CallCredentials, ChannelCredentials, type ChannelOptions, type experimental } from '@grpc/grpc-js';

/** Errors of a connection that have nothing to do with certificates. */
const NETWORK = /^(E(CONN|PIPE|TIMEDOUT|HOST|NET|ADDR|AI_)|ENOTFOUND)/;

export class DialCredentials extends ChannelCredentials {
  readonly sockets: Socket[] = [];
  /** Why TLS did not come about, in words; null as long as it did or was not tried. */
  tlsProblem: string | null = null;

  #isCut = false;

  constructor(private readonly context: SecureContext | null) {
    super();
  }

  /** Cuts the connections, also one that is still on its way. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.sockets) socket.destroy();
  }

  override _isSecure(): boolean {
    return this.context !== null;
  }

  override _equals(other: ChannelCredentials): boolean {
    return other === this;
  }

  override _createSecureConnector(
    _target: experimental.GrpcUri,
    _options: ChannelOptions,
    credentials = CallCredentials.createEmpty(),
  ): experimental.SecureConnector {
    return {
      connect: (socket) => {
        this.sockets.push(socket);
        if (this.#isCut) {
          socket.destroy();
          return Promise.reject(new Error('given up'));
        }
        socket.setKeepAlive(true, 10_000);
        return this.context === null ? Promise.resolve({ socket, secure: false }) : this.#secure(socket, this.context);
      },
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => credentials,
      destroy: () => {},
    };
  }

  #secure(socket: Socket, secureContext: SecureContext): Promise<experimental.SecureConnectResult> {
    return new Promise((resolve, reject) => {
      const secured = connect({
        socket,
        secureContext,
        ALPNProtocols: ['h2'],
        rejectUnauthorized: true,
        // The authority is the mesh's own; see certificates.ts.
        checkServerIdentity: () => undefined,
      });
      secured.once('secureConnect', () => resolve({ socket: secured, secure: true }));
      // Stays on: with TLS 1.3 the listener's verdict on our certificate comes after the handshake.
      secured.on('error', (error: NodeJS.ErrnoException) => {
        if (!NETWORK.test(error.code ?? '')) this.tlsProblem = error.message;
        reject(error);
      });
    });
  }
}
