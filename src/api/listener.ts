/** The API port itself: one uWebSockets.js app that listens, and a new one in its place when certificates change. */

import uWS, { type TemplatedApp, type us_listen_socket } from 'uWebSockets.js';
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { MeshError } from '../errors.js';
import { listenOn, openPort } from '../port.js';

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

export class Listener {
  /** Apps of earlier certificates still serve the connections that they accepted. */
  private readonly apps: TemplatedApp[] = [];
  private socket: us_listen_socket | null = null;
  port = 0;

  constructor(private readonly options: ListenerOptions) {}

  get secure(): boolean {
    return this.options.tls.cert !== '';
  }

  /** Opens the port; a MeshError says why it could not. */
  async listen(): Promise<void> {
    const { bind, port } = this.options;
    const app = this.createApp();
    try {
      this.port = await openPort(bind, port, (free) => this.open(app, free));
    } catch (error) {
      throw new MeshError('invalid_argument', `api.port: ${(error as Error).message}`);
    }
  }

  /** Takes new certificates for new connections. Throws, and keeps the old ones, when the files are not usable. */
  reloadTls(): void {
    if (!this.secure || this.socket === null) return;
    const app = this.createApp();
    this.stop();
    if (!this.open(app, this.port))
      throw new MeshError('internal', `api.port: ${this.port} was lost while its certificate was replaced`);
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

  private createApp(): TemplatedApp {
    const { tls } = this.options;
    // The library ends the process over files it can't use, so they are checked first.
    if (this.secure) checkCertificate(tls);
    const app = this.secure ? uWS.SSLApp({ cert_file_name: tls.cert, key_file_name: tls.key }) : uWS.App();
    this.options.route(app);
    return app;
  }

  private open(app: TemplatedApp, port: number): boolean {
    this.socket = listenOn(app, this.options.bind, port, this.options.sharePort);
    if (this.socket !== null) this.apps.push(app);
    return this.socket !== null;
  }
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
