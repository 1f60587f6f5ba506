/** What scripts may do to the world outside their VM: the ScriptHost role, made of the mesh, the gateway and the queue. */
import type { Mesh } from '../core/mesh.js';
import type { Log, Meter } from '../core/ports.js';
import type { Reach } from '../core/reach.js';
import type { ScriptConnection, ScriptHost } from '../scripting/roles.js';

export interface ScriptHostParts {
  readonly mesh: Mesh;
  readonly reach: Reach;
  readonly log: Log;
  readonly meter: Meter;
  /** Channels and patterns one connection may be subscribed to. */
  readonly maxSubscriptions: number;
  connection(clientId: string): ScriptConnection | undefined;
  push(topic: string, clientId: string, json: string): ReturnType<ScriptHost['queuePush']>;
}

export function createScriptHost(parts: ScriptHostParts): ScriptHost {
  const { mesh, reach, meter } = parts;
  return {
    log: parts.log,
    meter,
    subscribe(connection, channel, done) {
      if (!connection.isOpen) return done({ ok: false, reason: 'closed' });
      if (mesh.channelsOf(connection).length >= parts.maxSubscriptions) {
        meter.count('drops_total', 1, 'too_many_subscriptions');
        return done({ ok: false, reason: 'limit' });
      }
      mesh.subscribe(connection, channel, done);
    },
    unsubscribe: (connection, channel) => void mesh.unsubscribe(connection, channel),
    unsubscribeAll: (connection, kind) => mesh.unsubscribeAll(connection, kind),
    publish: (channel, payload, binary, done) => mesh.publish(channel, payload, binary, done),
    send: (clientId, payload, binary, done) =>
      reach.send(clientId, payload, binary, (outcome) => done(outcome.ok ? null : outcome.text)),
    connection: (clientId) => parts.connection(clientId),
    queuePush: (topic, clientId, json) => parts.push(topic, clientId, json),
  };
}
