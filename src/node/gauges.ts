/** Connects the gauges of /metrics to the parts that know their values. */
import type { Api } from '../api/api.js';
import type { Mesh } from '../core/mesh.js';
import type { Gateway } from '../gateway/gateway.js';
import type { Metrics } from '../ops/metrics.js';
import type { Script } from '../scripting/script.js';

export interface Measured {
  readonly mesh: Mesh;
  readonly gateway: Gateway;
  readonly scripts: readonly Script[];
  readonly api: Api;
}

export function showGauges(metrics: Metrics, { mesh, gateway, scripts, api }: Measured): void {
  metrics.gauge('connections', () => gateway.counts());
  metrics.gauge('subscriptions', () => mesh.counts().subscriptions);
  metrics.gauge('channels', () => mesh.counts().channels);
  metrics.gauge('patterns', () => mesh.counts().patterns);
  metrics.gauge('peers', () => {
    const states = new Map<string, number>();
    for (const peer of mesh.members()) states.set(peer.state, (states.get(peer.state) ?? 0) + 1);
    return states;
  });
  metrics.gauge('peer_queue_bytes', () => new Map(mesh.members().map((peer) => [peer.nodeId, peer.queueBytes])));
  metrics.gauge('peer_dropped', () => new Map(mesh.members().map((peer) => [peer.nodeId, peer.dropped])));
  metrics.gauge('peer_round_trip_seconds', () => {
    const seconds = new Map<string, number>();
    for (const { nodeId, roundTripMs } of mesh.members())
      if (roundTripMs !== null) seconds.set(nodeId, roundTripMs / 1000);
    return seconds;
  });
  metrics.gauge('leases', () => {
    const { leasesGranted, leasesHeld } = mesh.counts();
    return new Map([
      ['granted', leasesGranted],
      ['held', leasesHeld],
    ]);
  });
  metrics.gauge('directory_entries', () => mesh.counts().directory);
  metrics.gauge('publishes_waiting', () => mesh.counts().publishesWaiting);
  metrics.gauge('subscribes_waiting', () => mesh.counts().subscribesWaiting);
  // A server is named by its place in the configuration's list.
  metrics.gauge('lua_waiting', () => new Map(scripts.map((script, i) => [String(i), script.stats().waiting])));
  metrics.gauge('lua_memory_bytes', () => new Map(scripts.map((script, i) => [String(i), script.stats().memoryBytes])));
  metrics.gauge('api_connections', () => api.connections());
  metrics.gauge('queue_depth', () => api.queue.depths());
  metrics.gauge('queue_unacknowledged', () => api.queue.unacknowledged());
  metrics.gauge('queue_age_seconds', () => api.queue.ages());
}
