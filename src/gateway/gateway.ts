/** The gateway of a node: its client servers, their connections, and delivery to them. node.ts makes one and wires it. */
import type { Clock, Meter, Random, Sockets } from '../core/ports.js';
import { Delivery } from './delivery.js';
import { type Closing, closeSpread } from './drain.js';
import type { ListenConfig } from './limits.js';
import type { Connection, WebSocketScript } from './roles.js';
import { Turn } from './turn.js';
import { WebSocketServer } from './websocket-server.js';

export interface GatewayOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly meter: Meter;
  /** A new id for each connection (core/client-id.ts). */
  readonly newClientId: () => string;
  /** Client ports are shared with other processes of this machine (SO_REUSEPORT: `--workers`); else a taken port is an error. */
  readonly share?: boolean;
}

/** What the gateway knows of a server, whatever its protocol. */
interface Server {
  readonly protocol: 'websocket' | 'socket';
  readonly port: number;
  readonly connections: ReadonlyMap<string, Connection & Closing>;
  stopListening(): void;
  close(): void;
}

/** An open server. */
export interface Listening {
  /** The real port, also where the configuration says 0. */
  readonly port: number;
}

export interface Gateway {
  /** Opens a `websocket` server. Fails with a MeshError that names the port and the reason. */
  listenWebSocket(config: ListenConfig, script: WebSocketScript): Promise<Listening>;
  readonly sockets: Sockets;
  /** A connection of this node. */
  connection(id: string): Connection | undefined;
  count(): number;
  /** Open connections by protocol, for the gauge. */
  counts(): ReadonlyMap<string, number>;
  /** Takes no new clients, closes those there are with 1012 over so many seconds, in random order. Done when all are gone. */
  drain(seconds: number): Promise<void>;
  /** Ends everything at once. */
  close(): void;
}

/** After the last close was sent, how long drain waits for clients that don't finish the closing handshake. */
const FAREWELL_MS = 3000;

export function createGateway(options: GatewayOptions): Gateway {
  const { clock, random, meter } = options;
  const turn = new Turn(clock);
  const servers: Server[] = [];
  const all = () => servers.flatMap((server) => [...server.connections.values()]);
  const count = () => servers.reduce((sum, server) => sum + server.connections.size, 0);
  return {
    async listenWebSocket(config, script) {
      const server = new WebSocketServer({ ...options, share: options.share ?? false, turn, config, script });
      await server.open();
      servers.push(server);
      return server;
    },
    sockets: new Delivery(turn, meter),
    connection(id) {
      for (const server of servers) {
        const connection = server.connections.get(id);
        if (connection) return connection;
      }
      return undefined;
    },
    count,
    counts() {
      const counts = new Map<string, number>();
      for (const { protocol, connections } of servers) {
        counts.set(protocol, (counts.get(protocol) ?? 0) + connections.size);
      }
      return counts;
    },
    async drain(seconds) {
      for (const server of servers) server.stopListening();
      await closeSpread(all(), seconds, clock, random);
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
