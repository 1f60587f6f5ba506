/**
 * What one seed means: the size of the mesh, its network and clocks, its settings, its faults and its load. Swarm testing:
 * each seed leaves most kinds of trouble out, so that what remains is met in depth (Groce et al., Swarm Testing, 2012).
 */
import type { Tuning } from '../core/options.js';
import { type ProfileName, PROFILES as SWIM } from '../core/profiles.js';
import type { LatencyShape } from './network.js';
import { SeededRandom } from './random.js';

export const PROFILES = ['mixed', 'one-way', 'four', 'busy', 'races', 'flaps', 'rolling', 'calm', 'large'] as const;
export type Profile = (typeof PROFILES)[number];

/** Mean time between faults of each kind in ms; 0: none. */
export interface Faults {
  readonly reset: number;
  readonly oneWay: number;
  readonly clog: number;
  readonly stall: number;
  readonly crash: number;
  readonly vanish: number;
  readonly accuse: number;
  readonly join: number;
  readonly roll: number;
  readonly partition: number;
  readonly flap: number;
}

export interface Load {
  readonly channels: number;
  readonly subscribers: number;
  /** Mean time between subscribes and unsubscribes, and between publishes, of one node. */
  readonly churnMs: number;
  readonly publishMs: number;
  /** Publishes in one turn, at most. */
  readonly burst: number;
  /** Pairs of a node and a channel that it publishes to every `hotMs`. */
  readonly hot: number;
  readonly hotMs: number;
  readonly degradedShare: number;
  readonly brokenShare: number;
  readonly maxPayload: number;
  /** Patterns that clients subscribe to as well, and the mean time between such events of one node. */
  readonly patterns: readonly string[];
  readonly patternChurnMs: number;
}

type Patterns = Pick<Load, 'patterns' | 'patternChurnMs'>;

/** How the events of one process fall into turns of its event loop. */
export interface TurnShape {
  /** Share of events after which the turn goes on, for at most `spanMs`: several reads and timers, then one end. */
  readonly longShare: number;
  readonly spanMs: number;
  /** After a stall, timers that are due run before what had arrived earlier (else everything in the order of its time). */
  readonly timersFirst: boolean;
}

export interface Swarm {
  readonly seed: number;
  readonly profile: Profile;
  readonly nodes: number;
  /** Nodes that may join later. */
  readonly spare: number;
  /** All start at once, each with all others as seeds; else one after the other. */
  readonly together: boolean;
  readonly latency: LatencyShape;
  readonly laneBatches: number;
  readonly turns: TurnShape;
  readonly slowestClock: number;
  readonly fastestClock: number;
  readonly tuning: Partial<Tuning>;
  readonly activeMs: number;
  readonly faults: Faults;
  readonly load: Load;
  /** Nothing but graceful things happens: not one message may be missed, not one result incomplete. */
  readonly lossless: boolean;
}

export interface SwarmChoice {
  readonly nodes?: number;
  readonly profile?: Profile;
  /** Whether clients subscribe to patterns; else as the seed says. */
  readonly patterns?: boolean;
}

const NO_FAULTS: Faults = {
  reset: 0,
  oneWay: 0,
  clog: 0,
  stall: 0,
  crash: 0,
  vanish: 0,
  accuse: 0,
  join: 0,
  roll: 0,
  partition: 0,
  flap: 0,
};

export function drawSwarm(seed: number, choice: SwarmChoice = {}): Swarm {
  const random = new SeededRandom(seed, 'swarm');
  const drawn = drawProfile(random);
  const profile = choice.profile ?? drawn;
  const size = drawNodes(random, profile);
  const nodes = choice.nodes ?? size;
  const faults = drawFaults(random, profile, nodes, drawFlap(seed));
  const spare = faults.join > 0 ? random.whole(1, Math.max(2, nodes)) : 0;
  const lossless = profile === 'rolling' || profile === 'calm';
  const together = random.chance(0.4);
  const latency = drawLatency(random, lossless);
  return {
    seed,
    profile,
    nodes,
    spare,
    together,
    latency,
    laneBatches: profile === 'mixed' && random.chance(0.2) ? random.whole(4, 40) : 10_000,
    turns: drawTurns(seed),
    ...drawClocks(random),
    tuning: { ...drawTuning(random, profile, nodes), ...(lossless ? patience(latency) : anyProfile(seed)) },
    activeMs: drawActive(random, profile),
    faults,
    load: { ...drawLoad(random, profile, nodes), ...drawPatterns(seed, profile, nodes, choice.patterns) },
    lossless,
  };
}

/** Short runs with many subscribes, in which a moment's disagreement is met. */
function isRace(profile: Profile): boolean {
  return profile === 'races' || profile === 'flaps';
}

function drawActive(random: SeededRandom, profile: Profile): number {
  const quick = random.chance(0.5);
  if (profile === 'large') return 10_000;
  return random.between(4000, quick || isRace(profile) ? 8000 : 20_000);
}

function drawProfile(random: SeededRandom): Profile {
  const at = random.fraction();
  if (at < 0.4) return 'mixed';
  if (at < 0.5) return 'one-way';
  if (at < 0.6) return 'four';
  if (at < 0.7) return 'busy';
  if (at < 0.84) return 'races';
  return at < 0.94 ? 'rolling' : 'calm';
}

function drawNodes(random: SeededRandom, profile: Profile): number {
  const at = random.fraction();
  const few = random.whole(2, 6);
  const some = random.whole(7, 12);
  const many = random.whole(13, 40);
  if (profile === 'large') return 200;
  if (profile === 'four' || profile === 'busy' || profile === 'flaps') return 4;
  if (profile === 'races') return 3 + (few % 3);
  if (profile === 'one-way') return 3 + (few % 4);
  if (profile === 'rolling') return at < 0.8 ? Math.max(3, few) : some;
  return at < 0.02 ? 1 : at < 0.8 ? few : at < 0.98 ? some : many;
}

function drawFaults(random: SeededRandom, profile: Profile, nodes: number, flap: number): Faults {
  const often = random.scaled(300, 4000);
  const draw = (share: number, slower = 1): number =>
    random.chance(share) ? slower * often * random.scaled(0.5, 3) : 0;
  const drawn: Faults = {
    reset: draw(0.6),
    oneWay: draw(0.25),
    clog: draw(0.3),
    stall: draw(0.25),
    crash: draw(0.35, 2),
    vanish: draw(0.15, 4),
    accuse: draw(0.3, 2),
    join: draw(0.4, 3),
    roll: draw(0.2, 3),
    partition: draw(0.2, 4),
    flap,
  };
  if (profile === 'calm') return NO_FAULTS;
  if (profile === 'rolling') return { ...NO_FAULTS, roll: 1500 + often / 2, join: drawn.join };
  if (profile === 'one-way') return { ...NO_FAULTS, oneWay: often, accuse: drawn.accuse, reset: drawn.reset };
  if (profile === 'races') return { ...racing(random), flap: flap / 4 };
  if (profile === 'flaps') return { ...NO_FAULTS, flap: FLAP_MS };
  if (profile === 'busy') return { ...NO_FAULTS, reset: often, accuse: drawn.accuse, clog: drawn.clog };
  if (profile === 'large') return { ...NO_FAULTS, reset: 500, crash: 3000 };
  if (nodes === 1) return NO_FAULTS;
  return drawn;
}

/** Seldom enough for a mesh to settle in between, and often enough for a rumour to meet a handshake in one of forty seeds. */
const FLAP_MS = 400;

/** Short one-way breaks, false deaths and joins, so that the same news reaches each node at another time. */
function racing(random: SeededRandom): Faults {
  return {
    ...NO_FAULTS,
    oneWay: random.scaled(30, 300),
    reset: random.chance(0.5) ? random.scaled(100, 1000) : 0,
    accuse: random.chance(0.7) ? random.scaled(200, 1500) : 0,
    join: random.chance(0.4) ? random.scaled(500, 3000) : 0,
    crash: random.chance(0.3) ? random.scaled(700, 3000) : 0,
    roll: random.chance(0.2) ? 2000 : 0,
  };
}

function drawLatency(random: SeededRandom, lossless: boolean): LatencyShape {
  const minMs = random.scaled(0.1, 10);
  const jitterMs = random.chance(0.7) ? minMs * random.scaled(0.1, 3) : 0;
  const slow = random.chance(0.3) && !lossless;
  const drawn = random.chance(0.5) || minMs > 4 ? 1 : random.scaled(2, 60);
  const spread = lossless ? Math.max(1, Math.min(drawn, GRACEFUL_SLOWEST_MS / usualMs(minMs, jitterMs))) : drawn;
  return { minMs, jitterMs, slowShare: slow ? 0.02 : 0, slowMs: slow ? random.scaled(50, 400) : 0, spread };
}

/** No way is usually slower than this where nothing may be lost: beyond it, healthy members look dead. */
const GRACEFUL_SLOWEST_MS = 250;

function usualMs(minMs: number, jitterMs: number): number {
  return minMs + 5 * jitterMs;
}

/** Settings that fit the network: a slow member must not look dead, nor unreachable, where nothing may be lost. */
function patience({ minMs, jitterMs, spread }: LatencyShape): Partial<Tuning> {
  const roundTripMs = 2 * spread * usualMs(minMs, jitterMs);
  const fits = (name: ProfileName): boolean => roundTripMs < SWIM[name].probeTimeoutMs;
  return { profile: fits('local') ? 'local' : fits('lan') ? 'lan' : 'wan', relayAfterMs: 3000 };
}

/** From a stream of its own, like all that was added later: older seeds stay what they were. */
function anyProfile(seed: number): Partial<Tuning> {
  const at = new SeededRandom(seed, 'profile').fraction();
  return at < 0.1 ? { profile: 'wan' } : {};
}

function drawFlap(seed: number): number {
  const random = new SeededRandom(seed, 'flap');
  return random.chance(0.3) ? random.scaled(800, 6000) : 0;
}

/** They match all channels of a run, some, one, or none. */
const PATTERNS = ['c*', '*', 'c1*', '*1', 'c*0', '*c*1*', 'c2', 'd*'];

function drawPatterns(seed: number, profile: Profile, nodes: number, chosen?: boolean): Patterns {
  const random = new SeededRandom(seed, 'patterns');
  const drawn = random.chance(0.3);
  const patterns = random.shuffle([...PATTERNS]).slice(0, random.whole(1, 3));
  const often = profile === 'races' ? random.scaled(20, 200) : random.scaled(60, 1500);
  return { patterns: (chosen ?? drawn) ? patterns : [], patternChurnMs: often * Math.max(1, nodes / 8) };
}

function drawTurns(seed: number): TurnShape {
  const random = new SeededRandom(seed, 'turns');
  const long = random.chance(0.4);
  return {
    longShare: long ? random.between(0.1, 0.9) : 0,
    spanMs: random.scaled(0.1, 10),
    timersFirst: random.chance(0.5),
  };
}

/** Each within 10 % of true time, and any two within 10 % of each other. */
function drawClocks(random: SeededRandom): Pick<Swarm, 'slowestClock' | 'fastestClock'> {
  const slowestClock = random.between(0.9, 1.0);
  return { slowestClock, fastestClock: slowestClock * (random.chance(0.3) ? 1 : 1.099) };
}

function drawTuning(random: SeededRandom, profile: Profile, nodes: number): Partial<Tuning> {
  const leaseMs = random.scaled(500, 5000);
  const tight = profile === 'mixed' && random.chance(0.15);
  const ringAlways = profile === 'four' || profile === 'busy' || isRace(profile) || random.chance(0.6);
  const patient = profile !== 'rolling' && profile !== 'calm' && random.chance(0.4);
  return {
    profile: random.chance(0.8) ? 'local' : 'lan',
    replicateAllUpTo: ringAlways ? 0 : 8,
    replicas: profile === 'flaps' ? 1 : nodes <= 5 ? random.whole(1, 2) : random.whole(1, 3),
    seedsRefusedMs: random.scaled(300, 2000),
    seedsUnreachableMs: 5000,
    redialMinMs: random.scaled(20, 200),
    redialMaxMs: random.scaled(300, 2000),
    handshakeMs: 2000,
    healMs: random.scaled(1000, 4000),
    relayAfterMs: random.scaled(300, 3000),
    lingerMs: isRace(profile) ? random.scaled(5, 100) : random.scaled(20, 3000),
    walkChannels: random.chance(0.2) ? random.whole(1, 3) : 2000,
    publishTimeoutMs: random.chance(0.3) && profile !== 'rolling' ? 600 : 2000,
    lookupHedgeMs: patient ? random.scaled(50, 1000) : 50,
    lookupGiveUpMs: patient ? random.scaled(150, 3000) : 150,
    floodsPerSecond: tight ? 20 : 500,
    floodBurst: tight ? 20 : 500,
    leaseFromPerSecond: random.whole(1, 4),
    leaseMs,
    leaseGraceMs: leaseMs / 10,
    maxLeases: tight ? 3 : 100_000,
    queueFrames: tight ? 60 : 65_536,
    queueBytes: tight ? 4000 : 16_777_216,
    lookupQueue: tight ? 10 : 4096,
    stalledMs: random.scaled(1500, 8000),
    resumeMs: random.chance(0.2) ? 200 : random.scaled(500, 5000),
  };
}

function drawLoad(random: SeededRandom, profile: Profile, nodes: number): Omit<Load, keyof Patterns> {
  const busy = profile === 'busy';
  if (isRace(profile)) return raceLoad(random);
  return {
    channels: busy ? random.whole(1, 2) : random.whole(2, 10),
    subscribers: nodes > 20 ? 1 : random.whole(1, 4),
    churnMs: random.scaled(40, 800) * Math.max(1, nodes / 8),
    publishMs: random.scaled(20, 400) * Math.max(1, nodes / 8),
    burst: random.chance(0.5) ? 1 : random.whole(2, 8),
    hot: busy ? random.whole(1, 3) : random.chance(0.5) ? random.whole(1, 3) : 0,
    hotMs: random.scaled(15, 120),
    degradedShare: random.chance(0.2) ? 0.3 : 0,
    brokenShare: random.chance(0.3) ? 0.1 : 0,
    maxPayload: random.chance(0.5) ? 8 : 300,
  };
}

/** Many channels, each wanted for a moment by somebody. */
function raceLoad(random: SeededRandom): Omit<Load, keyof Patterns> {
  return {
    channels: random.whole(3, 30),
    subscribers: random.whole(1, 3),
    churnMs: random.scaled(8, 60),
    publishMs: random.scaled(5, 40),
    burst: 1,
    hot: random.whole(0, 3),
    hotMs: random.scaled(15, 120),
    degradedShare: 0,
    brokenShare: 0,
    maxPayload: 8,
  };
}

/** A mesh without faults and load, on a quick network: for scenarios and measurements. */
export function quietSwarm(overrides: Partial<Swarm> = {}): Swarm {
  return {
    seed: 1,
    profile: 'calm',
    nodes: 3,
    spare: 0,
    together: false,
    latency: { minMs: 1, jitterMs: 0, slowShare: 0, slowMs: 0, spread: 1 },
    laneBatches: 10_000,
    turns: { longShare: 0, spanMs: 0, timersFirst: false },
    slowestClock: 1,
    fastestClock: 1,
    tuning: {},
    activeMs: 0,
    faults: NO_FAULTS,
    load: { ...NO_LOAD },
    lossless: false,
    ...overrides,
  };
}

const NO_LOAD: Load = {
  channels: 4,
  subscribers: 3,
  churnMs: 1e12,
  publishMs: 1e12,
  burst: 1,
  hot: 0,
  hotMs: 1e12,
  degradedShare: 0,
  brokenShare: 0,
  maxPayload: 8,
  patterns: [],
  patternChurnMs: 1e12,
};
