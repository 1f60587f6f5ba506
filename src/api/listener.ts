/** The API port itself: one uWebSockets.js app that listens, and a new one in its place when certificates change. */

import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { createSecureContext } from 'node:tls';
import { MeshError } from '../errors.js';

export interface ListenerOptions {
  readonly bind: string;
  readonly port: number;
  /** PEM files; empty for no TLS. */
  readonly tls: { readonly cert: string; readonly key: string };
  /** Whether other processes of the same user may listen on the port, too (`--workers`). */
  readonly sharePort: boolean;
  /** Puts the routes on an app. */
  route(app: TemplatedApp): void;
}

const EXCLUSIVE = 1;
const SHARED = 0;

export class Listener {
  /** Apps of earlier certificates still serve the connections that they accepted. */
  private readonly apps: TemplatedApp[] = [];
  private socket: us_listen_socket | null = null;
  port = 0;

  constructor(private readonly options: ListenerOptions) {}

  get secure(): boolean {
    return this.options.tls.cert !== '';
  }

  async listen(): Promise<void> {
    const { bind, port } = this.options;
    this.port = this.open(port === 0 ? await freePort(bind) : port);
  }

  /** Takes new certificates for new connections. Throws, and keeps the old ones, when the files are not usable. */
  reloadTls(): void {
    if (!this.secure || this.socket === null) return;
    checkCertificate(this.options.tls);
    this.stop();
    this.port = this.open(this.port);
  }

  /** No new connections from here on. */
  stop(): void {
    if (this.socket !== null) uWS.us_listen_socket_close(this.socket);
    this.socket = null;
  }

  close(): void {
    this.stop();
    for (const app of this.apps) app.close();
    this.apps.length = 0;
  }

  private open(port: number): number {
    const { bind, tls, sharePort } = this.options;
    if (this.secure) checkCertificate(tls);
    const app = this.secure ? uWS.SSLApp({ cert_file_name: tls.cert, key_file_name: tls.key }) : uWS.App();
    this.options.route(app);
    let bound = 0;
    const listen = app.listen as unknown as (
      host: string,
      port: number,
      options: number,
      done: (socket: us_listen_socket | false) => void,
    ) => void;
    listen.call(app, bind, port, sharePort ? SHARED : EXCLUSIVE, (socket) => {
      if (socket === false) return;
      this.socket = socket;
      bound = uWS.us_socket_local_port(socket);
    });
    if (bound === 0) {
      const text = `api.port: cannot listen on ${bind}:${port}; the port is taken, or the address is not of this machine. Free it, or set api.port`;
      throw new MeshError('invalid_argument', text);
    }
    this.apps.push(app);
    return bound;
  }
}

/** uWebSockets.js can take a free port itself, but not listen on it a second time, which new certificates need. */
function freePort(bind: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', (error) => reject(new MeshError('invalid_argument', `api.bind: ${error.message}`)));
    probe.listen(0, bind, () => {
      const { port } = probe.address() as AddressInfo;
      probe.close(() => resolve(port));
    });
  });
}

/** Throws an error that names the files when they are no certificate with its key. */
export function checkCertificate(tls: { readonly cert: string; readonly key: string }): void {
  try {
    createSecureContext({ cert: readFileSync(tls.cert), key: readFileSync(tls.key) });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new MeshError('invalid_argument', `api.tls: ${tls.cert} and ${tls.key} are no certificate and key: ${why}`);
  }
}
