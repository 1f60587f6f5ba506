/** What the links are told when they are made, their limits, and how grpc-js is set up for them. */
import type { ChannelOptions } from '@grpc/grpc-js';

/** PEM files of mutual TLS. All three, or all empty. */
export interface TlsFiles {
  readonly cert: string;
  readonly key: string;
  readonly ca: string;
}

export interface LinkLimits {
  /** Largest frame, sent or received; larger than every payload that a client or back end may publish. */
  readonly maxFrameBytes: number;
  /** A batch is cut before it grows over this; more is waste of nothing but memory at the receiver. */
  readonly maxBatchBytes: number;
  /** `send` answers false when so much waits on a lane; `drained` follows when a quarter of it is left. */
  readonly highWaterBytes: number;
  /** From the first packet to both lanes authenticated, on either side. */
  readonly openMs: number;
  /** How long a link that is being closed may take to send what it has. */
  readonly closeMs: number;
  /** A connection without a word for so long is pinged, and ended when that stays unanswered for as long again. */
  readonly keepaliveMs: number;
  /** Incoming connections that may be on their way to being authenticated at one time. */
  readonly maxOpening: number;
  /** Flow control window of the data lane: what may be under way to a peer, at a far one bandwidth times round trip. */
  readonly windowBytes: number;
  /** How often the certificate files are looked at. */
  readonly tlsReloadMs: number;
}

export const DEFAULT_LIMITS: LinkLimits = {
  maxFrameBytes: 16 * 1024 * 1024,
  maxBatchBytes: 256 * 1024,
  highWaterBytes: 1024 * 1024,
  openMs: 5000,
  closeMs: 1000,
  keepaliveMs: 10_000,
  maxOpening: 256,
  windowBytes: 4 * 1024 * 1024,
  tlsReloadMs: 5000,
};

export interface LinksOptions {
  readonly bind: string;
  /** 0 takes any free one; `address()` tells which. */
  readonly port: number;
  readonly clusterName: string;
  readonly secret: string;
  /** Name of this node, for the other side's log. */
  readonly nodeId: string;
  readonly tls: TlsFiles;
  readonly limits?: Partial<LinkLimits>;
}

/** What a batch's frames cost beside themselves, so that the largest frame still fits gRPC's bound. */
const BATCH_OVERHEAD = 64;

/** Options for both ends of a connection. Retries would buffer and repeat what is on a stream: 64 KiB is enough to begin one. */
export function grpcOptions(limits: LinkLimits, windowBytes: number): ChannelOptions {
  return {
    'grpc.max_receive_message_length': limits.maxFrameBytes + BATCH_OVERHEAD,
    'grpc.max_send_message_length': limits.maxFrameBytes + BATCH_OVERHEAD,
    'grpc.keepalive_time_ms': limits.keepaliveMs,
    'grpc.keepalive_timeout_ms': limits.keepaliveMs,
    'grpc.max_concurrent_streams': 4,
    'grpc-node.flow_control_window': windowBytes,
    // Two connections per peer, one for each lane, not one shared.
    'grpc.use_local_subchannel_pool': 1,
    'grpc.enable_retries': 0,
    'grpc.per_rpc_retry_buffer_size': 65536,
    // A peer is dialled directly, and asks nothing of DNS but its address.
    'grpc.enable_http_proxy': 0,
    'grpc.service_config_disable_resolution': 1,
    'grpc.enable_channelz': 0,
  };
}
