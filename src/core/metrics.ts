/**
 * Every number that a node counts, with its help text and unit: names only, no library. ops/metrics.ts turns the table into
 * Prometheus metrics with the prefix `lumesh_`; whoever counts something adds its row here.
 */

export interface MetricRow {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** Name of the one label, for metrics that have one. */
  readonly label?: string;
  /** Upper bounds of a histogram's buckets, in the metric's unit. */
  readonly buckets?: readonly number[];
}

/** Gauges are read when asked for (ops/metrics.ts `gauge`), counters and histograms are fed through the Meter port. */
export const METRICS = {
  connections: { type: 'gauge', help: 'Open client connections.', label: 'protocol' },
  subscriptions: { type: 'gauge', help: 'Subscriptions of local subscribers, to channels and to patterns.' },
  channels: { type: 'gauge', help: 'Channels with at least one local subscriber.' },
  patterns: { type: 'gauge', help: 'Patterns with at least one local subscriber.' },
  peers: { type: 'gauge', help: 'Members in the view, by state.', label: 'state' },
  peer_queue_bytes: { type: 'gauge', help: 'Bytes waiting to be sent to a peer.', label: 'peer' },
  peer_sent_bytes_total: { type: 'counter', help: 'Bytes of frames sent to peers, by lane.', label: 'lane' },
  peer_received_bytes_total: { type: 'counter', help: 'Bytes of frames received from peers, by lane.', label: 'lane' },
  messages_received_total: { type: 'counter', help: 'Messages received from clients.', label: 'protocol' },
  publishes_total: { type: 'counter', help: 'Publishes that entered the mesh at this node.' },
  deliveries_total: { type: 'counter', help: 'Messages handed to local subscribers.' },
  drops_total: { type: 'counter', help: 'Messages or connections given up, by reason.', label: 'reason' },
  lookups_total: { type: 'counter', help: 'Times that an owner was asked who is interested in a channel.' },
  floods_total: {
    type: 'counter',
    help: 'Publishes sent to all or most of the view because nothing proved who is interested.',
  },
  gaps_total: { type: 'counter', help: 'Times that messages from a peer may have been missed.' },
  suspicions_total: { type: 'counter', help: 'Members that came under suspicion, as this node sees it.' },
  refutations_total: {
    type: 'counter',
    help: 'Times this node had to contradict what others said of it.',
    label: 'of',
  },
  publish_seconds: {
    type: 'histogram',
    help: 'Time from a publish to its complete counts, in seconds.',
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  },
  peer_round_trip_seconds: {
    type: 'gauge',
    help: 'Round trip of the last canary to a peer, in seconds.',
    label: 'peer',
  },
  peer_dropped: {
    type: 'gauge',
    help: 'Messages to a peer that its full queue refused, since it is known.',
    label: 'peer',
  },
  leases: { type: 'gauge', help: 'Leases of channels, by side: granted to others, held from others.', label: 'side' },
  directory_entries: {
    type: 'gauge',
    help: 'Pairs of a channel that this node owns, or a pattern, and an interested node.',
  },
  publishes_waiting: { type: 'gauge', help: 'Publishes that wait for a look-up.' },
  subscribes_waiting: { type: 'gauge', help: 'Subscribes that wait until the whole mesh knows.' },
  lua_callbacks_total: { type: 'counter', help: 'Lua callbacks that were started, by name.', label: 'callback' },
  lua_pauses_total: { type: 'counter', help: 'Times reading from a client paused because its callbacks wait.' },
  lua_errors_total: { type: 'counter', help: 'Lua callbacks that ended with an error, by name.', label: 'callback' },
  lua_callback_seconds: {
    type: 'histogram',
    help: 'Time that a Lua callback ran, waiting not included, in seconds.',
    buckets: [0.000005, 0.00001, 0.000025, 0.00005, 0.0001, 0.00025, 0.001, 0.005, 0.025, 0.1, 1],
  },
  lua_waiting: { type: 'gauge', help: 'Lua callbacks that wait for something now, by server.', label: 'server' },
  lua_memory_bytes: { type: 'gauge', help: 'Memory that a Lua VM uses, in bytes, by server.', label: 'server' },
  api_requests_total: { type: 'counter', help: 'Calls of back ends, by transport.', label: 'transport' },
  api_errors_total: { type: 'counter', help: 'Errors that back ends were answered with, by kind.', label: 'kind' },
  api_connections: { type: 'gauge', help: 'Open WebSocket API connections and gRPC streams.', label: 'transport' },
  queue_depth: { type: 'gauge', help: 'Values of mix.queue that wait for a consumer, by topic.', label: 'topic' },
  queue_unacknowledged: {
    type: 'gauge',
    help: 'Values of mix.queue that consumers have and did not acknowledge, by topic.',
    label: 'topic',
  },
  queue_age_seconds: { type: 'gauge', help: 'Age of the oldest waiting value, in seconds.', label: 'topic' },
} as const satisfies Readonly<Record<string, MetricRow>>;

export type MetricName = keyof typeof METRICS;
type OfType<T extends MetricRow['type']> = {
  [K in MetricName]: (typeof METRICS)[K]['type'] extends T ? K : never;
}[MetricName];
export type CounterName = OfType<'counter'>;
export type GaugeName = OfType<'gauge'>;
export type HistogramName = OfType<'histogram'>;
