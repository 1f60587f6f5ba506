/**
 * Connections to the Redis servers of the configuration, through ioredis: a pool per name, connected on first use, connected
 * again by itself. While a server is away, commands fail with the reason; none is ever sent twice.
 */
import { Command, Redis } from 'ioredis';
import type { RedisConfig } from '../../config/schema.js';
import type { Log, Meter } from '../../core/ports.js';
import { Refused } from './refused.js';

/** nil, integer, bytes, list; an error within a list stands where its value would. */
export type RedisReply = null | bigint | Buffer | Refused | readonly RedisReply[];

const CONNECT_TIMEOUT_MS = 5000;
const LONGEST_RETRY_MS = 2000;
/** Bound of what waits to be sent or answered. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024;

/** They change the connection they run on, and a pool's connections are shared. */
const UNSHAREABLE = new Set(
  'AUTH CLIENT DISCARD EXEC HELLO MONITOR MULTI PSUBSCRIBE PUNSUBSCRIBE QUIT RESET SELECT SSUBSCRIBE SUBSCRIBE SUNSUBSCRIBE SYNC PSYNC UNSUBSCRIBE UNWATCH WATCH'.split(
    ' ',
  ),
);

/** One connection of a pool. */
interface Lane {
  readonly redis: Redis;
  pending: number;
  /** Why it is not connected, from its last try. */
  problem: string | null;
}

export class RedisPool {
  private readonly lanes: Lane[] = [];
  private pending = 0;
  private pendingBytes = 0;
  private closed = false;

  constructor(
    private readonly config: RedisConfig,
    private readonly log: Log,
    private readonly meter: Meter,
  ) {}

  /** Sends one command, name first, and waits for its answer. */
  async command(words: readonly Buffer[]): Promise<RedisReply> {
    const [first, ...args] = words;
    const name = first?.toString('latin1').toUpperCase() ?? '';
    if (!/^[A-Z][A-Z0-9._-]*$/.test(name)) return new Refused(`"${name}" is not the name of a Redis command`);
    if (UNSHAREABLE.has(name)) {
      return new Refused(
        `${name} needs a connection of its own, mix.redis shares them; use EVAL where it must be atomic`,
      );
    }
    if (this.closed) return new Refused('the server is stopping');
    if (this.pending >= this.config.maxPending) {
      return this.full(`more than ${this.config.maxPending} commands wait for Redis "${this.config.name}"`);
    }
    const size = words.reduce((sum, word) => sum + word.length, 0);
    if (this.pendingBytes + size > MAX_PENDING_BYTES) {
      return this.full(`more than ${MAX_PENDING_BYTES} bytes wait for Redis "${this.config.name}"`);
    }
    const lane = this.calmest();
    const connected = lane.redis.status === 'ready';
    this.pending++;
    this.pendingBytes += size;
    lane.pending++;
    try {
      // In capitals, a name passes ioredis's own ideas of how replies of HGETALL and others should look.
      const command = new Command(name, args, { replyEncoding: null });
      return reply(await lane.redis.sendCommand(command));
    } catch (error) {
      return new Refused(this.explain(error as Error, lane, connected));
    } finally {
      this.pending--;
      this.pendingBytes -= size;
      lane.pending--;
    }
  }

  close(): void {
    this.closed = true;
    for (const { redis } of this.lanes) redis.disconnect();
  }

  private full(problem: string): Refused {
    this.meter.count('drops_total', 1, 'redis_full');
    return new Refused(problem);
  }

  /** The connection with the least to do; a new one while all are busy and the pool may grow. */
  private calmest(): Lane {
    let best: Lane | undefined;
    for (const lane of this.lanes) if (best === undefined || lane.pending < best.pending) best = lane;
    if (best !== undefined && (best.pending === 0 || this.lanes.length >= this.config.poolSize)) return best;
    const lane = this.open();
    this.lanes.push(lane);
    return lane;
  }

  private open(): Lane {
    const { name, addr, username, password, db, timeoutSeconds } = this.config;
    const colon = addr.lastIndexOf(':');
    const redis = new Redis({
      host: addr.slice(0, colon).replace(/^\[|\]$/g, ''),
      port: Number(addr.slice(colon + 1)),
      ...(username !== '' ? { username } : {}),
      ...(password !== '' ? { password } : {}),
      db,
      protocol: 2,
      // Integers of any size arrive exact, as JavaScript strings; everything else arrives as bytes.
      stringNumbers: true,
      connectTimeout: CONNECT_TIMEOUT_MS,
      ...(timeoutSeconds > 0 ? { commandTimeout: timeoutSeconds * 1000 } : {}),
      // A command waits for one try to connect, then fails; what was under way when a connection broke fails too.
      maxRetriesPerRequest: 0,
      autoResendUnfulfilledCommands: false,
      retryStrategy: (times) => Math.min(100 * 2 ** Math.min(times, 10), LONGEST_RETRY_MS),
    });
    const lane: Lane = { redis, pending: 0, problem: null };
    redis.on('error', (error: Error) => {
      const problem = error.message || (error as NodeJS.ErrnoException).code || 'unknown error';
      if (lane.problem === null) this.log.warn('Redis is not reachable', { name, addr, problem });
      lane.problem = problem;
    });
    redis.on('ready', () => {
      if (lane.problem !== null) this.log.info('Redis is reachable again', { name, addr });
      lane.problem = null;
    });
    return lane;
  }

  /** `connected`: the command was sent, not only meant to be. */
  private explain(error: Error, lane: Lane, connected: boolean): string {
    const { name, addr, timeoutSeconds } = this.config;
    if (error.name === 'ReplyError') return error.message;
    if (error.message === 'Command timed out') {
      return `Redis "${name}" at ${addr} did not answer within ${timeoutSeconds} s`;
    }
    if (error.name === 'MaxRetriesPerRequestError' || error.message === 'Connection is closed.') {
      if (connected) return `the connection to Redis "${name}" at ${addr} broke; the command may or may not have run`;
      return `Redis "${name}" at ${addr} is not reachable: ${lane.problem ?? 'the connection was closed'}`;
    }
    return `Redis "${name}" at ${addr}: ${error.message}`;
  }
}

function reply(value: unknown): RedisReply {
  if (value === null || value === undefined) return null;
  if (Buffer.isBuffer(value)) return value;
  if (typeof value === 'string' && /^-?[0-9]+$/.test(value)) return BigInt(value);
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (Array.isArray(value)) return value.map(reply);
  if (value instanceof Error) return new Refused(value.message);
  return Buffer.from(String(value), 'utf8');
}
