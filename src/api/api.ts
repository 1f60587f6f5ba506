/**
 * The API of a node, put together: one list of operations behind HTTP, the WebSocket API and gRPC, with one gate for logins,
 * roles and limits. node.ts creates it, hands it the mesh as a Backplane, and the scripts its Queue.
 */
import type { AccessConfig, ApiConfig } from '../config/schema.js';
import { Gate } from './gate.js';
import { GrpcApi } from './grpc.js';
import { routeCalls } from './http.js';
import { Listener } from './listener.js';
import { Operations } from './operations.js';
import { type Asset, routePages } from './pages.js';
import type { Queue } from './queue.js';
import type { Backplane } from './roles.js';
import { WebSocketApi } from './websocket.js';

export interface ApiOptions {
  readonly api: ApiConfig;
  readonly access: AccessConfig;
  readonly backplane: Backplane;
  readonly queue: Queue;
  /** The console's files; none when left out. */
  readonly asset?: Asset;
  /** Milliseconds on a monotonic clock. */
  readonly now?: () => number;
  /** Several processes share the ports (`--workers`). */
  readonly sharePort?: boolean;
}

export interface Api {
  /** Starts listening. Throws a MeshError that names the setting when a port cannot be had. */
  listen(): Promise<void>;
  /** The ports that were bound, once listening. */
  readonly httpPort: number;
  readonly grpcPort: number;
  /** As it was given, for the gauges queue_depth and queue_age_seconds. */
  readonly queue: Queue;
  /** Open connections by transport, for the gauge api_connections. */
  connections(): ReadonlyMap<string, number>;
  reloadAccess(access: AccessConfig): void;
  /** Reads the certificate files again, for new connections. Files that cannot be used change nothing, and the log says why. */
  reloadTls(): void;
  /** Answers readiness with 503 and asks back ends to go elsewhere; calls are answered until close, gRPC streams for `graceMs`. */
  drain(graceMs?: number): void;
  close(): Promise<void>;
}

const DRAIN_MS = 10_000;

export async function createApi(options: ApiOptions): Promise<Api> {
  const { api, access, backplane, queue } = options;
  const now = options.now ?? (() => performance.now());
  const gate = new Gate(api, access, backplane, now);
  const operations = new Operations(backplane);
  const sockets = new WebSocketApi({ gate, operations, backplane, queue, limits: api, now });
  const rpc = new GrpcApi({ gate, operations, backplane, limits: api, now });
  const listener = new Listener({
    bind: api.bind,
    port: api.port,
    tls: api.tls,
    sharePort: options.sharePort ?? false,
    route(app) {
      sockets.route(app);
      routeCalls(app, { gate, operations, maxBodyBytes: api.maxBodyBytes });
      routePages(app, gate, backplane, options.asset ?? (() => null));
    },
  });
  return {
    queue,
    async listen() {
      await listener.listen();
      await rpc.listen(options.sharePort ?? false);
    },
    get httpPort() {
      return listener.port;
    },
    get grpcPort() {
      return rpc.port;
    },
    connections: () =>
      new Map([
        ['websocket', sockets.connections],
        ['grpc', rpc.streams],
      ]),
    reloadAccess(changed) {
      gate.access.reload(changed);
      sockets.recheck();
      rpc.recheck();
    },
    reloadTls() {
      for (const port of [listener, rpc]) {
        try {
          port.reloadTls();
        } catch (error) {
          backplane.log.error('certificate not replaced', { port: port.port, reason: (error as Error).message });
        }
      }
    },
    drain(graceMs = DRAIN_MS) {
      gate.draining = true;
      sockets.drain();
      rpc.drain(graceMs);
    },
    async close() {
      listener.close();
      rpc.close();
    },
  };
}
