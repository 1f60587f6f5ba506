/** The HTTP side of a websocket server: what the script learns of an upgrade request, and the answers that refuse one. */
import type { HttpRequest, HttpResponse, us_socket_context_t } from 'uWebSockets.js';
import { STATUS_CODES } from 'node:http';
import { endpoint, ipText } from './address.js';
import type { HandshakeRequest, HandshakeVerdict } from './roles.js';
import type { Attached, WebSocketConnection } from './websocket-connection.js';

/** uWebSockets.js does not tell a client's port (its issue 295), so the address of a WebSocket client ends in ":0". */
const UNKNOWN_PORT = 0;

export function remoteAddressOf(res: HttpResponse): string {
  return endpoint(ipText(new Uint8Array(res.getRemoteAddress())), UNKNOWN_PORT);
}

export function requestOf(req: HttpRequest, remoteAddress: string): HandshakeRequest {
  const headers: [string, string][] = [];
  req.forEach((name, value) => headers.push([name, value]));
  const query = req.getQuery();
  return {
    method: req.getCaseSensitiveMethod().toUpperCase(),
    requestUri: query ? `${req.getUrl()}?${query}` : req.getUrl(),
    serverProtocol: 'HTTP/1.1',
    host: req.getHeader('host'),
    remoteAddress,
    headers,
  };
}

/** Answers a request that does not become a WebSocket. The connection ends, so that nobody keeps it open for nothing. */
export function refuse(res: HttpResponse, status: number, body: string, header?: readonly [string, string]): void {
  res.cork(() => {
    res.writeStatus(`${status} ${STATUS_CODES[status] ?? 'Refused'}`);
    if (header) res.writeHeader(header[0], header[1]);
    res.writeHeader('content-type', 'text/plain; charset=utf-8');
    res.end(body, true);
  });
}

/** An upgrade request whose script has not decided yet. The request itself is gone by then; this is what must be kept of it. */
export class Handshake {
  private over = false;
  private readonly key: string;
  private readonly protocol: string;
  private readonly extensions: string;

  constructor(
    readonly connection: WebSocketConnection,
    private readonly res: HttpResponse,
    req: HttpRequest,
    private readonly context: us_socket_context_t,
    private readonly forget: (handshake: Handshake) => void,
  ) {
    this.key = req.getHeader('sec-websocket-key');
    // A server names one of the protocols offered; a client that offers some expects an answer (RFC 6455, 4.2.2).
    this.protocol = req.getHeader('sec-websocket-protocol').split(',')[0].trim();
    this.extensions = req.getHeader('sec-websocket-extensions');
    res.onAborted(() => this.finish());
  }

  decide(verdict: HandshakeVerdict): void {
    if (!this.finish()) return;
    const res = this.res;
    if (!verdict.accept) return refuse(res, verdict.status, verdict.body);
    const attached: Attached = { connection: this.connection };
    res.cork(() => res.upgrade(attached, this.key, this.protocol, this.extensions, this.context));
  }

  /** True the first time: the answer may be given. */
  private finish(): boolean {
    if (this.over) return false;
    this.over = true;
    this.forget(this);
    return true;
  }
}
