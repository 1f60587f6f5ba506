/** What a console test shows: a mesh of four members in different states, with numbers that move. */
import type { FakeBackplane } from '../api/fake-backplane.js';

const link = { roundTripMs: 0.42, lastCanaryMs: 830, queueBytes: 0, dropped: 0, digest: 'a1b2c3d4e5f60718' };
const node = { state: 'alive', role: 'full', version: '0.1.0', self: false };
const at = (host: string) => ({ address: `${host}:6788`, api: `${host}:6789` });

export function furnish(mesh: FakeBackplane): void {
  mesh.nodes = (done) =>
    done([
      {
        ...node,
        nodeId: 'node-2',
        ...at('10.0.0.2'),
        connections: 48_211,
        channels: 3120,
        subscriptions: 60_000,
        link,
      },
      {
        ...node,
        nodeId: 'node-1',
        ...at('10.0.0.1'),
        self: true,
        connections: 51_307,
        channels: 2987,
        subscriptions: 9,
        link: null,
      },
      {
        ...node,
        nodeId: 'node-3',
        ...at('10.0.0.3'),
        role: 'leaving',
        connections: 12,
        channels: 4,
        subscriptions: 12,
        link: { ...link, roundTripMs: 12.6, queueBytes: 48_213, digest: '99aabbccddeeff00' },
      },
      {
        ...node,
        nodeId: 'node-4',
        ...at('10.0.0.4'),
        state: 'suspect',
        connections: null,
        channels: null,
        subscriptions: null,
        link: { roundTripMs: null, lastCanaryMs: 4210, queueBytes: 3_400_000, dropped: 17, digest: '' },
      },
    ]);
  let readings = 0;
  mesh.metrics = async () => {
    readings++;
    const publishes = readings * 24_000 + Math.round(6000 * Math.sin(readings));
    return [
      '# HELP lumesh_connections Open client connections.',
      'lumesh_connections{protocol="websocket"} 51200',
      'lumesh_connections{protocol="socket"} 107',
      'lumesh_subscriptions 88412',
      'lumesh_channels 2987',
      `lumesh_publishes_total ${publishes}`,
      `lumesh_deliveries_total ${publishes * 31}`,
      'lumesh_drops_total{reason="slow_consumer"} 12',
      'lumesh_drops_total{reason="peer_denied"} 3',
      'lumesh_drops_total{reason="malformed_batch"} 0',
      `lumesh_publish_seconds_bucket{le="0.0005"} ${readings * 90}`,
      `lumesh_publish_seconds_bucket{le="0.001"} ${readings * 99}`,
      `lumesh_publish_seconds_bucket{le="0.005"} ${readings * 100}`,
      `lumesh_publish_seconds_bucket{le="+Inf"} ${readings * 100}`,
      '',
    ].join('\n');
  };
  mesh.channel = (channel, done) =>
    done({
      channel,
      subscribers: { 'node-1': 2, 'node-2': 1, 'node-3': 0, 'node-4': null },
      patterns: channel.startsWith('user:') ? ['user:*', '*'] : [],
      owners: ['node-1', 'node-2', 'node-3', 'node-4'],
      route: [
        { nodeId: 'node-1', why: 'subscribers here' },
        { nodeId: 'node-2', why: 'interest' },
        { nodeId: 'node-4', why: 'no sync mark' },
      ],
      lookup: null,
    });
}
