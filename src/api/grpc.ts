/**
 * The gRPC side of the API (proto/lumesh.proto): the same operations, with gRPC's status codes. The standard health service and
 * server reflection run beside it, so that generic clients and probes work.
 */
import { fileURLToPath } from 'node:url';
import grpc, { type ServerUnaryCall, type ServerWritableStream, type sendUnaryData } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { ReflectionService } from '@grpc/reflection';
import { HealthImplementation } from 'grpc-health-check';
import type { ApiConfig } from '../config/schema.js';
import { CHANNELS, PATTERNS, type Subscribable } from '../core/subscribable.js';
import { MeshError } from '../errors.js';
import { BackEnd } from './back-end.js';
import { FramedWriter, serializeBatch } from './framed-writer.js';
import type { Gate } from './gate.js';
import { decodePublish, encodeMessage, type PublishRequest, payloadProblem } from './grpc-codec.js';
import { type Callers, callerOf, HEALTH_PATH, loginInterceptor, statusOf } from './grpc-login.js';
import { grpcCertificate } from './grpc-tls.js';
import { TokenBucket, tooFast } from './limits.js';
import { invalid, type Operations } from './operations.js';
import { type StreamCall, servePublishStream } from './publish-stream.js';
import type { Backplane } from './roles.js';

export interface GrpcShell {
  readonly gate: Gate;
  readonly operations: Operations;
  readonly backplane: Backplane;
  readonly limits: ApiConfig;
  now(): number;
}

/** A request as the library reads it; null for bytes that are none. */
type Read<T> = T | null;
type Unary<Q, A> = [call: ServerUnaryCall<Read<Q>, A>, answer: sendUnaryData<A>];

interface SendRequest {
  readonly client_id: string;
  readonly data: Buffer;
  readonly binary: boolean;
}
interface SubscribeRequest {
  readonly channels: readonly string[];
  readonly patterns: readonly string[];
}

const PROTOS = ['lumesh.proto', 'health.proto'].map((name) =>
  fileURLToPath(new URL(`../../proto/${name}`, import.meta.url)),
);
const SERVICE = 'lumesh.v1.Lumesh';
const HEALTH_LOOK_MS = 500;
const MAX_STREAMS_PER_CONNECTION = 1000;

export class GrpcApi {
  port = 0;
  private readonly server: grpc.Server;
  private readonly callers: Callers = new WeakMap();
  private readonly health = new HealthImplementation({ '': 'NOT_SERVING', [SERVICE]: 'NOT_SERVING' });
  private readonly certificate;
  private readonly healthTimer: NodeJS.Timeout;
  private open = 0;
  /** Open Subscribe streams, and how to end each. */
  private readonly subscribed = new Map<ServerWritableStream<unknown, unknown>, (error: MeshError) => void>();

  constructor(private readonly shell: GrpcShell) {
    const { limits, gate } = shell;
    this.certificate = grpcCertificate(limits.tls);
    this.server = new grpc.Server({
      'grpc.max_receive_message_length': limits.maxBodyBytes,
      'grpc.max_concurrent_streams': MAX_STREAMS_PER_CONNECTION,
      interceptors: [loginInterceptor(gate, this.callers, () => this.showHealth())],
    });
    this.addServices();
    this.healthTimer = setInterval(() => this.showHealth(), HEALTH_LOOK_MS).unref();
  }

  /** Streams that are open. */
  get streams(): number {
    return this.open;
  }

  /** `shared`: another process of this machine may have the port already, and serves gRPC for this one, too (`--workers`). */
  listen(shared: boolean): Promise<void> {
    const { bind, grpcPort } = this.shell.limits;
    const address = `${bind.includes(':') ? `[${bind}]` : bind}:${grpcPort}`;
    return new Promise((resolve, reject) => {
      this.server.bindAsync(address, this.certificate.credentials, (error, port) => {
        if (error === null) {
          this.port = port;
          return resolve();
        }
        if (shared) {
          this.shell.backplane.log.info('another process serves gRPC', { address });
          return resolve();
        }
        const text = `api.grpcPort: cannot listen on ${address}; the port is taken, or the address is not of this machine. Free it, or set api.grpcPort`;
        reject(new MeshError('invalid_argument', text));
      });
    });
  }

  reloadTls(): void {
    this.certificate.reload();
  }

  /** Users have changed: streams whose login may no longer read end. */
  recheck(): void {
    for (const [call, close] of this.subscribed) {
      const refused = this.shell.gate.access.refusal(callerOf(this.callers, call.metadata).caller, 'read');
      if (refused !== null) close(refused);
    }
  }

  /** Says NOT_SERVING and asks clients to connect elsewhere; what is under way may end within `graceMs`. */
  drain(graceMs: number): void {
    this.showHealth();
    if (this.port !== 0) this.server.drain(`${this.shell.limits.bind}:${this.port}`, graceMs);
  }

  close(): void {
    clearInterval(this.healthTimer);
    this.server.forceShutdown();
  }

  private showHealth(): void {
    const status = this.shell.gate.readiness().ready ? 'SERVING' : 'NOT_SERVING';
    this.health.setStatus('', status);
    this.health.setStatus(SERVICE, status);
  }

  private addServices(): void {
    // keepCase: reflection shows the names as they are here.
    const definition = loadSync(PROTOS, { longs: Number, defaults: true, keepCase: true });
    const methods = { ...(definition[SERVICE] as grpc.ServiceDefinition) };
    for (const [name, method] of Object.entries(methods)) methods[name] = lenient(method);
    methods.PublishStream = {
      ...methods.PublishStream,
      requestDeserialize: orNull(decodePublish),
      responseSerialize: serializeBatch,
    };
    methods.Subscribe = { ...methods.Subscribe, responseSerialize: serializeBatch };
    this.server.addService(methods, {
      publish: (...unary: Unary<PublishRequest, unknown>) => this.publish(...unary),
      publishStream: (call: StreamCall) => this.publishStream(call),
      send: (...unary: Unary<SendRequest, unknown>) => this.send(...unary),
      subscribe: (call: ServerWritableStream<Read<SubscribeRequest>, unknown>) => this.subscribe(call),
    });
    this.health.addToServer(this.server);
    new ReflectionService(definition, { services: [SERVICE, HEALTH_PATH.split('/')[1]] }).addToServer(this.server);
  }

  private publish(call: ServerUnaryCall<Read<PublishRequest>, unknown>, answer: sendUnaryData<unknown>): void {
    const { request } = call;
    const refused = this.refusal(call, 'write') ?? problemOf(request, 'PublishRequest');
    if (refused !== null || request === null) return this.refuse(answer, refused);
    this.shell.operations.publish(request.channel, request.data, request.binary, true, (error, result) => {
      if (error !== null) this.refuse(answer, error);
      else answer(null, result);
    });
  }

  private send(call: ServerUnaryCall<Read<SendRequest>, unknown>, answer: sendUnaryData<unknown>): void {
    const { request } = call;
    const refused = this.refusal(call, 'write') ?? problemOf(request, 'SendRequest');
    if (refused !== null || request === null) return this.refuse(answer, refused);
    this.shell.operations.send(request.client_id, request.data, request.binary, (error) => {
      if (error !== null) this.refuse(answer, error);
      else answer(null, {});
    });
  }

  private publishStream(call: StreamCall): void {
    const { limits, operations, gate, now } = this.shell;
    const denied = gate.access.refusal(callerOf(this.callers, call.metadata).caller, 'write');
    if (denied !== null) {
      gate.failed(denied);
      call.emit('error', statusOf(denied));
      return;
    }
    const perSecond = limits.connectionRequestsPerSecond;
    const bucket = perSecond === 0 ? null : new TokenBucket(perSecond, now());
    const limit = `${perSecond} calls per second (api.connectionRequestsPerSecond)`;
    this.countStream(call);
    servePublishStream(call, {
      operations,
      refusal: () => this.refusal(call, 'write') ?? (bucket === null ? null : tooFast(bucket.take(now()), limit)),
      failed: (error) => gate.failed(error),
    });
  }

  private subscribe(call: ServerWritableStream<Read<SubscribeRequest>, unknown>): void {
    const { backplane, limits, gate } = this.shell;
    const refused = call.request === null ? invalid('the message is no SubscribeRequest') : this.refusal(call, 'read');
    const end = (error: MeshError): void => {
      gate.failed(error);
      call.emit('error', statusOf(error));
    };
    if (refused !== null || call.request === null) return end(refused as MeshError);
    this.countStream(call);
    const writer = new FramedWriter(call, () => {});
    let over = false;
    const close = (error: MeshError): void => {
      over = true;
      this.subscribed.delete(call);
      writer.discard();
      setImmediate(() => backEnd.unsubscribeAll());
      end(error);
    };
    const backEnd = new BackEnd(backplane, (message, pattern) => {
      if (over) return false;
      if (writer.waiting > limits.maxBackpressureBytes) {
        backplane.meter.count('drops_total', 1, 'slow_back_end');
        close(new MeshError('overloaded', 'this stream was not read fast enough (api.maxBackpressureBytes)'));
        return false;
      }
      writer.add(encodeMessage(message, pattern));
      return true;
    });
    this.subscribed.set(call, close);
    call.on('cancelled', () => {
      over = true;
      this.subscribed.delete(call);
      backEnd.unsubscribeAll();
    });
    const { channels, patterns } = call.request;
    const lists: [Subscribable, readonly string[]][] = patterns.length > 0 ? [[PATTERNS, patterns]] : [];
    // A request that names nothing is refused for its empty list of channels.
    if (channels.length > 0 || lists.length === 0) lists.push([CHANNELS, channels]);
    let waiting = lists.length;
    const known = (error: MeshError | null): void => {
      if (over) return;
      if (error !== null) close(error);
      else if (--waiting === 0) call.sendMetadata(new grpc.Metadata());
    };
    for (const [what, texts] of lists) backEnd.subscribe(what, texts, known);
  }

  /** Role and rate limits of one request. */
  private refusal(
    call: grpc.ServerUnaryCall<unknown, unknown> | StreamCall | ServerWritableStream<unknown, unknown>,
    role: 'read' | 'write',
  ) {
    const { caller, address } = callerOf(this.callers, call.metadata);
    return this.shell.gate.refusal('grpc', caller, address, role);
  }

  private refuse(answer: sendUnaryData<unknown>, error: MeshError | null): void {
    if (error === null) return;
    this.shell.gate.failed(error);
    answer(statusOf(error));
  }

  private countStream(call: StreamCall | ServerWritableStream<unknown, unknown>): void {
    this.open++;
    let closed = false;
    const close = (): void => {
      if (!closed) this.open--;
      closed = true;
    };
    call.once('cancelled', close);
    call.once('finish', close);
  }
}

function problemOf(request: Read<{ data: Uint8Array; binary: boolean }>, type: string): MeshError | null {
  return request === null ? invalid(`the message is no ${type}`) : payloadProblem(request);
}

/** Makes a method read bytes that are no message of its type as null, so that they are answered with the contract's error. */
function lenient(method: grpc.MethodDefinition<unknown, unknown>): grpc.MethodDefinition<unknown, unknown> {
  return { ...method, requestDeserialize: orNull(method.requestDeserialize) };
}

function orNull<T>(read: (bytes: Buffer) => T): (bytes: Buffer) => T | null {
  return (bytes) => {
    try {
      return read(bytes);
    } catch {
      return null;
    }
  };
}
