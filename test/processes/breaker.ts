/**
 * A TCP proxy that stands before one node's port for peers and breaks what passes through it: cuts, resets, blocks one way.
 * Blocking is done as a network does it: bytes are no longer read, so the sender's window fills and nothing comes back.
 */
import { createConnection, createServer, type Server, type Socket } from 'node:net';

export type Direction = 'in' | 'out';

interface Pair {
  readonly client: Socket;
  readonly target: Socket;
}

export class Breaker {
  private readonly pairs = new Set<Pair>();
  private readonly blocked = new Set<Direction>();
  private readonly server: Server;
  private refusing = false;

  constructor(
    private readonly port: number,
    private readonly targetPort: number,
  ) {
    this.server = createServer({ pauseOnConnect: true }, (client) => this.connected(client));
  }

  /** host:port for the node to advertise. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Connections are taken from here on, until it is closed; it may be opened again. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(this.port, '127.0.0.1', () => {
        this.server.off('error', reject);
        resolve();
      });
    });
  }

  /** Connections that pass through now. */
  get size(): number {
    return this.pairs.size;
  }

  /** Nothing passes in that direction any more: `in` towards the node, `out` from it. Also for new connections. */
  block(direction: Direction): void {
    this.blocked.add(direction);
    for (const pair of this.pairs) this.flow(pair);
  }

  /** Ends all connections with a reset and refuses new ones at once. */
  cut(): void {
    this.refusing = true;
    this.reset();
  }

  /** Ends all connections with a reset; new ones may come. */
  reset(): void {
    for (const pair of this.pairs) this.end(pair);
  }

  /** Everything passes again. What was blocked goes on where it stopped. */
  heal(): void {
    this.refusing = false;
    this.blocked.clear();
    for (const pair of this.pairs) this.flow(pair);
  }

  /** Ends all connections; new ones are refused by the system, as for a port where nobody listens. */
  async close(): Promise<void> {
    this.reset();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  private connected(client: Socket): void {
    if (this.refusing) {
      client.on('error', () => {});
      client.resetAndDestroy();
      return;
    }
    const target = createConnection(this.targetPort, '127.0.0.1');
    const pair = { client, target };
    this.pairs.add(pair);
    for (const [from, to] of [
      [client, target],
      [target, client],
    ]) {
      from.setNoDelay(true);
      from.on('data', (bytes) => {
        if (!to.write(bytes)) from.pause();
      });
      to.on('drain', () => this.flow(pair));
      from.on('end', () => to.end());
      from.on('error', () => this.end(pair));
      from.on('close', () => {
        if (client.destroyed && target.destroyed) this.pairs.delete(pair);
      });
    }
    target.once('connect', () => this.flow(pair));
  }

  private flow({ client, target }: Pair): void {
    if (this.blocked.has('in') || target.connecting) client.pause();
    else client.resume();
    if (this.blocked.has('out')) target.pause();
    else target.resume();
  }

  private end(pair: Pair): void {
    this.pairs.delete(pair);
    for (const socket of [pair.client, pair.target]) abort(socket);
  }
}

/** With a reset where that is possible. Resetting a socket that is ending leaves its handle open, and Node.js then spins at its exit. */
function abort(socket: Socket): void {
  if (socket.destroyed) return;
  if (socket.writableEnded || socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
