/** What a Mesh says about itself to people and tools: shapes only. */

export type Phase = 'joining' | 'ready' | 'leaving' | 'left';

/** One other member, as this node sees it. Times in milliseconds. */
export interface PeerReport {
  readonly nodeId: string;
  readonly boot: number;
  readonly state: string;
  readonly role: string;
  readonly address: string;
  readonly api: string;
  readonly version: string;
  /** True while there is a session with it; `relayedBy` names the third node when it runs through one (rule 15). */
  readonly connected: boolean;
  readonly relayedBy: string | null;
  /** False while it was never met: no publish goes there. */
  readonly mayBeOwed: boolean;
  /** Of the last canary; null before the first echo. */
  readonly roundTripMs: number | null;
  /** Since the last canary echo; null before the first. */
  readonly lastCanaryMs: number | null;
  /** Messages that wait for it or are not acknowledged by it. */
  readonly queueBytes: number;
  readonly queueFrames: number;
  /** Messages to it that were refused because its queue was full, since it is known. */
  readonly dropped: number;
  /** The view that it announced; empty before the first announcement. */
  readonly announcedDigest: string;
  /** It acknowledged this node's present view (rule 3), and it sent all its interest for it (rule 2). */
  readonly settled: boolean;
  readonly synced: boolean;
}

export type RouteReason =
  | 'subscribers here'
  | 'interest'
  | 'lease'
  | 'pattern'
  | 'other view'
  | 'no sync mark'
  | 'no owner answered';

/** Where a publish goes, and why to each. */
export type Route = readonly { readonly nodeId: string; readonly why: RouteReason }[];

/** How a publish on a channel would go now, as far as one node knows by itself. */
export interface ChannelExplanation {
  readonly channel: string;
  /** The view in which it says so. */
  readonly digest: string;
  /** Subscriptions here that a message would be handed to: of the channel, and of patterns. */
  readonly subscribers: number;
  /** Patterns of any node that the channel matches. */
  readonly patterns: readonly string[];
  /** It counts as interested: it has subscribers, or had some lately (rule 4). */
  readonly interested: boolean;
  readonly owners: readonly string[];
  readonly route: Route;
  /** A publish now would first ask an owner, whose rows the route lacks. */
  readonly lookup: boolean;
}

export interface MeshCounts {
  /** Channels and patterns with a local subscriber, subscriptions of both, and both as far as interest is still registered. */
  readonly channels: number;
  readonly patterns: number;
  readonly subscriptions: number;
  readonly interest: number;
  /** (channel, node) rows that this node keeps as an owner. */
  readonly directory: number;
  /** Leases granted to others and held from others; look-ups and publishes that wait now. */
  readonly leasesGranted: number;
  readonly leasesHeld: number;
  readonly lookups: number;
  readonly publishesWaiting: number;
  /** Subscribes that wait for the mesh. */
  readonly subscribesWaiting: number;
  readonly tombstones: number;
}
