/** The gateway of a node: its client servers, their connections, and delivery to them. node.ts makes one and wires it. */

import type { ServerConfig } from '../config/schema.js';
import type { Clock, Log, Meter, Random, Sockets, Subscriber } from '../core/ports.js';
import { Delivery } from './delivery.js';
import { type Closing, closeSpread } from './drain.js';
import type { Connection, SocketScript, WebSocketScript } from './roles.js';
import type { SocketConnection } from './socket-connection.js';
import { SocketServer } from './socket-server.js';
import { Turn } from './turn.js';
import type { WebSocketConnection } from './websocket-connection.js';
import { WebSocketServer } from './websocket-server.js';

export interface GatewayOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: Meter;
  readonly log: Log;
  /** A new id for each connection (core/client-id.ts). */
  readonly newClientId: () => string;
  /**
   * Takes a connection off all its channels. Called right before it is closed, so that no publish counts a failure because
   * of a client that is being told to go, and when it is gone.
   */
  readonly unsubscribe: (subscriber: Subscriber) => void;
  /** Client ports are shared with other processes of this machine (SO_REUSEPORT: `--workers`); else a taken port is an error. */
  readonly share?: boolean;
}

/** What the gateway knows of a server, whatever its protocol. */
interface Server {
  readonly protocol: 'websocket' | 'socket';
  readonly port: number;
  readonly connections: ReadonlyMap<string, Connection & Closing>;
  open(): Promise<void>;
  reloadTls(): void;
  stopListening(): void;
  close(): void;
}

/** An open server. */
export interface Listening {
  /** The real port, also where the configuration says 0. */
  readonly port: number;
}

export interface Gateway {
  /** Opens a server of protocol `websocket`. Fails with a MeshError that names port and reason. */
  listenWebSocket(config: ServerConfig, script: WebSocketScript): Promise<Listening>;
  /** The same for protocol `socket`. */
  listenSocket(config: ServerConfig, script: SocketScript): Promise<Listening>;
  readonly sockets: Sockets;
  /** A connection of this node. */
  connection(id: string): Connection | undefined;
  /** The server that a connection of this node came in by. */
  serverOf(connection: Connection): ServerConfig;
  /** Open connections. */
  count(): number;
  /** Open connections by protocol, for the gauge. */
  counts(): ReadonlyMap<string, number>;
  /** Reads the certificates again, for new connections. Files that can't be used change nothing, and the log says why. */
  reloadTls(): void;
  /** Takes no new clients, closes those there are with 1012 over so many seconds, in random order. Done when all are gone. */
  drain(seconds: number): Promise<void>;
  /** Ends everything at once. */
  close(): void;
}

/** After the last close was sent, how long drain waits for clients that don't finish the closing handshake. */
const FAREWELL_MS = 3000;

export function createGateway(options: GatewayOptions): Gateway {
  const { clock, random, meter, log, share = false } = options;
  const turn = new Turn(clock);
  const servers: Server[] = [];
  const common = { clock, meter, log, share, turn, newClientId: options.newClientId, unsubscribe: options.unsubscribe };
  const open = async (server: Server): Promise<Listening> => {
    try {
      await server.open();
    } catch (error) {
      server.close();
      throw error;
    }
    servers.push(server);
    return server;
  };
  const count = () => servers.reduce((sum, server) => sum + server.connections.size, 0);
  return {
    listenWebSocket: async (config, script) => open(new WebSocketServer({ ...common, config, script })),
    listenSocket: async (config, script) => open(new SocketServer({ ...common, config, script })),
    sockets: new Delivery(turn, meter),
    connection: (id) => servers.find(({ connections }) => connections.has(id))?.connections.get(id),
    // There are no connections but these two, and both keep what their server shares.
    serverOf: (connection) => (connection as WebSocketConnection | SocketConnection).shared.config,
    count,
    counts() {
      const counts = new Map<string, number>();
      for (const { protocol, connections } of servers) {
        counts.set(protocol, (counts.get(protocol) ?? 0) + connections.size);
      }
      return counts;
    },
    reloadTls() {
      for (const server of servers) {
        try {
          server.reloadTls();
        } catch (error) {
          log.error('certificate not replaced', { port: server.port, reason: (error as Error).message });
        }
      }
    },
    async drain(seconds) {
      for (const server of servers) server.stopListening();
      const all = servers.flatMap(({ connections }) => [...connections.values()]);
      await closeSpread(all, seconds, clock, random);
      await gone(count, clock);
    },
    close() {
      for (const server of servers) server.close();
    },
  };
}

/** Waits until no connection is left, or for a short time. */
function gone(count: () => number, clock: Clock): Promise<void> {
  const deadline = clock.now() + FAREWELL_MS;
  return new Promise((resolve) => {
    const look = () => {
      if (count() === 0 || clock.now() >= deadline) resolve();
      else clock.after(20, look);
    };
    look();
  });
}
