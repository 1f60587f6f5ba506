/** What the API asks of the node. node.ts provides it; tests have a fake beside them. Outcomes are values; texts are for people. */
import type { Message, PublishResult, SubscribeOutcome } from '../core/message.js';
import type { Log, Meter, Subscriber } from '../core/ports.js';

export interface NodeReport {
  readonly nodeId: string;
  readonly state: string;
  readonly role: string;
  readonly address: string;
  readonly api: string;
  readonly version: string;
  readonly self: boolean;
  /** null where that node did not answer in time. */
  readonly connections: number | null;
  readonly channels: number | null;
  readonly subscriptions: number | null;
  /** Seen from this node; null for itself. Milliseconds, bytes, counts. */
  readonly link: {
    readonly roundTripMs: number | null;
    readonly lastCanaryMs: number | null;
    readonly queueBytes: number;
    readonly dropped: number;
    readonly digest: string;
  } | null;
}

export interface ChannelReport {
  readonly channel: string;
  /** Subscriptions per node that a message would be handed to, those to patterns included; null where that node did not answer in time. */
  readonly subscribers: Readonly<Record<string, number | null>>;
  /** Patterns of any node that the channel matches. */
  readonly patterns: readonly string[];
  /** In the order in which they are asked. */
  readonly owners: readonly string[];
  /** Who would be sent to now, and why (report.ts RouteReason). */
  readonly route: readonly { readonly nodeId: string; readonly why: string }[];
  /** A publish here has to ask an owner, and `route` is what that one answered; null when none did. Null for who need not ask. */
  readonly lookup: { readonly answeredBy: string | null } | null;
}

/** `no_connection`: gone or never there; `unreachable`: its node did not answer; `refused`: the connection's node said no. */
export type CallOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      readonly reason: 'no_connection' | 'unreachable' | 'refused' | 'invalid';
      readonly text: string;
    };

export const CALLS = [
  'set_context_value',
  'set_context',
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'close',
] as const;
export type CallName = (typeof CALLS)[number];

/** A back end that subscribes through the API: gRPC `Subscribe`, or `mesh.subscribe` of the WebSocket API (used by `lumesh subscribe` and the console). */
export interface BackEndSubscriber extends Subscriber {
  /** Takes one message without waiting; false when it could not (over its bound, closed). */
  take(message: Message): boolean;
}

export interface Backplane {
  readonly nodeId: string;
  readonly version: string;
  readonly log: Log;
  readonly meter: Meter;
  /** Ready to take publishes; else the reasons, for /readyz and for error 104. */
  readiness(): { readonly ready: boolean; readonly reasons: readonly string[] };
  /** `data` belongs to the mesh from here on. Returns an error text when it cannot be accepted now, null when accepted. */
  publish(
    channel: string,
    data: Uint8Array,
    binary: boolean,
    done: ((result: PublishResult) => void) | null,
  ): string | null;
  send(clientId: string, data: Uint8Array, binary: boolean, done: (outcome: CallOutcome) => void): void;
  call(clientId: string, call: CallName, args: readonly unknown[], done: (outcome: CallOutcome) => void): void;
  /** To a channel, or to a pattern under its name (core/pattern.ts). */
  subscribe(subscriber: BackEndSubscriber, channel: string, done: (outcome: SubscribeOutcome) => void): void;
  unsubscribe(subscriber: BackEndSubscriber, channel: string): void;
  /** A fresh client id for a back end that subscribes. */
  newSubscriberId(): string;
  nodes(done: (nodes: readonly NodeReport[]) => void): void;
  channel(channel: string, done: (report: ChannelReport) => void): void;
  /** Prometheus text. */
  metrics(): Promise<string>;
}
