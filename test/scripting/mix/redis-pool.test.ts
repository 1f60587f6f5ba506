/** mix.redis against a real redis-server, started here. */
import t from 'tap';
import { schema } from '../../../src/config/schema.js';
import type { Log } from '../../../src/core/ports.js';
import { RedisPool, type RedisReply } from '../../../src/scripting/mix/redis-pool.js';
import { Refused } from '../../../src/scripting/mix/refused.js';
import { claimPort } from '../../ports.js';
import { hasRedis, RedisServer } from './redis-server.js';

const lines: string[] = [];
const note = (message: string) => void lines.push(message);
const log: Log = { debug: note, info: note, warn: note, error: note };

const drops: string[] = [];
const meter = { count: (_: string, __?: number, reason = '') => void drops.push(reason), observe() {} };

function poolAt(addr: string, more: object = {}): RedisPool {
  const config = schema.parse({ lua: { redis: [{ addr, ...more }] } }).lua.redis[0]!;
  return new RedisPool(config, log, meter);
}

async function ask(pool: RedisPool, ...words: (string | Buffer)[]): Promise<unknown> {
  return plain(await pool.command(words.map((word) => (typeof word === 'string' ? Buffer.from(word) : word))));
}
function plain(reply: RedisReply): unknown {
  if (Buffer.isBuffer(reply)) return reply.toString('latin1');
  if (reply instanceof Refused) return `refused: ${reply.error}`;
  return Array.isArray(reply) ? reply.map(plain) : reply;
}

t.test('a server that is away is named in the error, with the reason', async (t) => {
  const addr = `127.0.0.1:${await claimPort()}`;
  const pool = poolAt(addr);
  t.teardown(() => pool.close());
  t.equal(
    await ask(pool, 'get', 'k'),
    `refused: Redis "default" at ${addr} is not reachable: connect ECONNREFUSED ${addr}`,
  );
  t.match(await ask(pool, 'get k'), /^refused: "GET K" is not the name of a Redis command/);
  t.match(await ask(pool, 'multi'), /^refused: MULTI needs a connection of its own/);
});

if (!hasRedis)
  t.pass('redis-server is not installed, nothing below was tested (apt-get install redis-server)', { skip: true });
else {
  const server = new RedisServer(await claimPort());
  await server.start();
  t.teardown(() => server.stop());

  t.test('replies arrive as what they are', async (t) => {
    const pool = poolAt(server.addr, { poolSize: 2 });
    t.teardown(() => pool.close());
    t.equal(await ask(pool, 'set', 'k', 'v'), 'OK');
    t.equal(await ask(pool, 'GET', 'k'), 'v');
    t.equal(await ask(pool, 'get', 'nothing'), null);
    t.equal(await ask(pool, 'incr', 'n'), 1n);
    t.equal(await ask(pool, 'incrby', 'n', '9223372036854775806'), 9223372036854775807n, 'integers are exact');
    t.equal(await ask(pool, 'get', 'n'), '9223372036854775807', 'numerals that are bytes stay bytes');
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
    t.equal(await ask(pool, 'set', bytes, bytes), 'OK');
    t.equal(await ask(pool, 'get', bytes), bytes.toString('latin1'), 'keys and values are bytes');
    t.equal(await ask(pool, 'set', 'empty', ''), 'OK');
    t.equal(await ask(pool, 'get', 'empty'), '');
    await ask(pool, 'hset', 'h', 'a', '1', 'b', '2');
    t.strictSame(await ask(pool, 'hgetall', 'h'), ['a', '1', 'b', '2'], 'lists stay lists');
    t.strictSame(await ask(pool, 'eval', 'return {1, "x", {2, false, {}}, redis.error_reply("NO way")}', '0'), [
      1n,
      'x',
      [2n, null, []],
      'refused: NO way',
    ]);
    t.match(await ask(pool, 'incr', 'k'), /^refused: ERR value is not an integer/);
    t.match(await ask(pool, 'nosuchcommand'), /^refused: ERR unknown command/);
  });

  t.test('a command that blocks holds up no other one', async (t) => {
    const pool = poolAt(server.addr, { poolSize: 2 });
    t.teardown(() => pool.close());
    const blocked = ask(pool, 'blpop', 'list', '0');
    t.equal(await ask(pool, 'rpush', 'list', 'x'), 1n);
    t.strictSame(await blocked, ['list', 'x']);
  });

  t.test('commands have a time limit and a bound on how many wait', async (t) => {
    const pool = poolAt(server.addr, { poolSize: 1, timeoutSeconds: 1, maxPending: 2 });
    t.teardown(() => pool.close());
    const [first, second, third] = [ask(pool, 'blpop', 'no', '0'), ask(pool, 'ping'), ask(pool, 'ping')];
    t.equal(await third, 'refused: more than 2 commands wait for Redis "default"');
    t.same(drops, ['redis_full'], 'and counted');
    t.match(await first, /^refused: Redis "default" at .* did not answer within 1 s$/);
    await second;
  });

  t.test('a connection that breaks fails its commands, and comes back by itself', async (t) => {
    const pool = poolAt(server.addr, { poolSize: 1 });
    t.teardown(() => pool.close());
    t.equal(await ask(pool, 'ping'), 'PONG');
    const waiting = ask(pool, 'blpop', 'no', '0');
    await server.stop();
    t.match(await waiting, /^refused: the connection to Redis .* broke; the command may or may not have run$/);
    t.match(await ask(pool, 'ping'), /^refused: Redis .* is not reachable: connect ECONNREFUSED/);
    await server.start();
    let answer: unknown;
    do answer = await ask(pool, 'ping');
    while (answer !== 'PONG');
    t.same(lines.slice(-2), ['Redis is not reachable', 'Redis is reachable again'], 'both logged once');
  });
}
