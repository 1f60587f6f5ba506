/** What the client servers offer (Connection) and what they ask of others (the scripts). node.ts connects the two. */
import type { Message } from '../core/message.js';
import type { Subscriber } from '../core/ports.js';

/**
 * What every subscriber of an audience is able to do, whoever holds it: a client's connection, a back end's stream, a function
 * of the embedding process. Delivery knows nothing else of the last two.
 */
export interface TakesMessages extends Subscriber {
  /** Hands over one message now; false when it could not be taken (the taker has counted why). */
  take(message: Message): boolean;
}

/** `dropped`: over the outbound bound of a server with `onSlow: drop`; `slow_consumer`: over it and being closed; `refused`: protocol_encode failed. */
export type SendOutcome = 'sent' | 'dropped' | 'slow_consumer' | 'closed' | 'refused';

/** A client's connection on this node. */
export interface Connection extends TakesMessages {
  readonly id: string;
  readonly protocol: 'websocket' | 'socket';
  /** "ip:port" */
  readonly remoteAddress: string;
  /** False from the moment the socket is gone or being closed. */
  readonly isOpen: boolean;
  /** The script's own notes on this connection; the gateway never looks. */
  script: unknown;
  /** Writes bytes to the client as they are (`conn:send`). `data` may be lent: it is copied or written before the call returns. */
  send(data: Uint8Array, binary: boolean): SendOutcome;
  /** Hands over what came through the mesh (publish, mesh.send): like send, but framed by `protocol_encode` on a socket server. */
  deliver(data: Uint8Array, binary: boolean): SendOutcome;
  /** Closes politely. WebSocket: close frame with code (default 1000) and reason (at most 123 bytes); socket: end after what is queued. */
  close(code?: number, reason?: string): void;
  /** Stops and restarts reading from the client, as far as the transport can. */
  pause(): void;
  resume(): void;
}

/** The upgrade request, as `on_handshake` sees it. */
export interface HandshakeRequest {
  readonly method: string;
  /** Path with query. */
  readonly requestUri: string;
  /** "HTTP/1.1" */
  readonly serverProtocol: string;
  readonly host: string;
  /** "ip:port" */
  readonly remoteAddress: string;
  /** Lower-case name, value; in the order received. */
  readonly headers: readonly (readonly [string, string])[];
}

export type HandshakeVerdict =
  | { readonly accept: true }
  | { readonly accept: false; readonly status: number; readonly body: string };

/** What a websocket server asks of its script. Calls never throw; an error of a script is the script's to log and count. */
export interface WebSocketScript {
  /** `done` is called exactly once, perhaps before handshake returns. The connection is not open yet: sends fail until then. */
  handshake(connection: Connection, request: HandshakeRequest, done: (verdict: HandshakeVerdict) => void): void;
  /** `data` is lent for the time of the call. */
  message(connection: Connection, data: Uint8Array, binary: boolean): void;
  /** After this the connection is gone; `error` is null for a clean close. */
  closed(connection: Connection, error: string | null): void;
}

/** What a socket server asks of its script, which does framing and buffering. */
export interface SocketScript {
  connected(connection: Connection): void;
  /** `chunk` is lent for the time of the call. */
  received(connection: Connection, chunk: Uint8Array): void;
  /** Frames one payload for this connection (`protocol_encode`); null when the script failed or returned nothing. */
  encode(connection: Connection, data: Uint8Array): Uint8Array | null;
  closed(connection: Connection, error: string | null): void;
}
