/** Logins of gRPC calls: the metadata `authorization`, looked at before a call reaches its method; and errors as status codes. */
import grpc, { type Metadata, type ServerInterceptor, type StatusObject } from '@grpc/grpc-js';
import { ERRORS, type MeshError } from '../errors.js';
import { ANYBODY, type Caller } from './access.js';
import { plainAddress } from './address.js';
import type { Gate } from './gate.js';

export interface Known {
  readonly caller: Caller;
  readonly address: string;
}

/** Who makes a call, by the call's own metadata object. */
export type Callers = WeakMap<Metadata, Known>;

export const HEALTH_PATH = '/grpc.health.v1.Health/';
const REFLECTION_PATH = '/grpc.reflection.';
const NOBODY: Known = { caller: ANYBODY, address: '' };

export function callerOf(callers: Callers, metadata: Metadata): Known {
  return callers.get(metadata) ?? NOBODY;
}

/** `beforeHealth` runs before a health request is answered, so that it tells of now. */
export function loginInterceptor(gate: Gate, callers: Callers, beforeHealth: () => void): ServerInterceptor {
  return (method, call) => {
    const isHealth = method.path.startsWith(HEALTH_PATH);
    if (isHealth) beforeHealth();
    const address = gate.needsAddress ? plainAddress(call.getConnectionInfo().remoteAddress ?? '') : '';
    return new grpc.ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, go) {
            if (isHealth && gate.access.metricsOpen) return go(metadata);
            const authorization = String(metadata.get('authorization')[0] ?? '');
            gate.access.login(authorization, address, (error, caller) => {
              const reads = isHealth || method.path.startsWith(REFLECTION_PATH);
              const refused = error ?? (reads ? gate.access.refusal(caller, 'read') : null);
              if (refused !== null) {
                gate.failed(refused);
                return call.sendStatus(statusOf(refused));
              }
              callers.set(metadata, { caller, address });
              go(metadata);
            });
          },
        });
      },
    });
  };
}

/** An error of the table as gRPC says it. */
export function statusOf(error: MeshError): StatusObject {
  const metadata = new grpc.Metadata();
  metadata.set('lumesh-code', String(error.code));
  if (error.retryAfter !== undefined) metadata.set('retry-after', String(error.retryAfter));
  return { code: grpc.status[ERRORS[error.kind].grpc], details: error.message, metadata };
}
