/** Timings of failure detection and gossip, as three profiles (`cluster.profile`). What each costs is said at the field. */

export interface Timings {
  /** One member is probed every so often. Lower: silent hosts are found sooner, more control messages. */
  readonly probeIntervalMs: number;
  /** A probe without an answer by then is tried through others. Lower: more false suspicions on slow links. */
  readonly probeTimeoutMs: number;
  /** Members that are asked to probe in one's place. */
  readonly indirectProbes: number;
  /** Shortest time in suspicion = this * max(1, log10(members)) * probeIntervalMs. Higher: fewer false deaths, later true ones. */
  readonly suspicionMultiplier: number;
  /** Longest time in suspicion, while nobody else confirms it, in shortest times. */
  readonly suspicionMaxFactor: number;
  /** Time in suspicion of a member whose host says that nobody listens on its port. Lower: less time for another path to contradict. */
  readonly refusedMs: number;
  /** News is sent to `gossipFanout` members every so often, while there is news. */
  readonly gossipIntervalMs: number;
  readonly gossipFanout: number;
  /** Bound of the news in one frame, in bytes. Lower: a burst of joins takes more rounds. */
  readonly gossipBytes: number;
  /** Each piece of news is sent this * log10(members + 1) times, rounded up. */
  readonly retransmitMultiplier: number;
  /** The whole table is exchanged with one member every so often, so that lost news heals. */
  readonly stateExchangeMs: number;
  /** Ends of members are remembered so long, and at most so many of them: their names cannot come back unchanged before. */
  readonly tombstoneMs: number;
  readonly tombstones: number;
}

const lan: Timings = {
  probeIntervalMs: 1000,
  probeTimeoutMs: 500,
  indirectProbes: 3,
  suspicionMultiplier: 4,
  suspicionMaxFactor: 2,
  refusedMs: 500,
  gossipIntervalMs: 200,
  gossipFanout: 3,
  gossipBytes: 1400,
  retransmitMultiplier: 4,
  stateExchangeMs: 30_000,
  tombstoneMs: 86_400_000,
  tombstones: 4096,
};

export const PROFILES = {
  /** One host or one rack: a silent member is gone within 3 s. */
  local: { ...lan, probeIntervalMs: 250, probeTimeoutMs: 125, refusedMs: 300, gossipIntervalMs: 100 },
  /** One site: a silent member is gone within 10 s at 10 members. */
  lan,
  /** Several sites: slow and lossy links do not look like deaths. */
  wan: {
    ...lan,
    probeIntervalMs: 3000,
    probeTimeoutMs: 1500,
    suspicionMultiplier: 6,
    refusedMs: 2000,
    gossipIntervalMs: 500,
    stateExchangeMs: 60_000,
  },
} as const satisfies Readonly<Record<string, Timings>>;

export type ProfileName = keyof typeof PROFILES;
