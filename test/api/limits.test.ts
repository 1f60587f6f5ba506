import t from 'tap';
import { ANYBODY } from '../../src/api/access.js';
import { Gate } from '../../src/api/gate.js';
import { RateLimit, TokenBucket } from '../../src/api/limits.js';
import { schema } from '../../src/config/schema.js';
import { FakeBackplane } from './fake-backplane.js';
import { accessOf, live } from './live.js';

t.test('a bucket holds one second and says how long to wait', async (t) => {
  const bucket = new TokenBucket(2, 0);
  t.same([bucket.take(0), bucket.take(0), bucket.take(0)], [0, 0, 0.5]);
  t.equal(bucket.take(500), 0);
  t.equal(bucket.take(500), 0.5);
  t.same([bucket.take(60_000), bucket.take(60_000), bucket.take(60_000)], [0, 0, 0.5]);
});

t.test('the number of remembered users and addresses is bounded', async (t) => {
  let now = 0;
  const rate = new RateLimit(1, () => now);
  for (let i = 0; i < 25_000; i++) rate.refusal(`10.0.${i >> 8}.${i & 255}`);
  t.ok(rate.size <= 10_000);
  now = 5000;
  rate.refusal('fresh');
  t.equal(rate.size, 1, 'idle ones are forgotten when room is needed');
});

t.test(
  'calls beyond the rate of a user are refused with 429 and retry-after, over all transports together',
  async (t) => {
    let now = 0;
    const { post, socket, mesh } = await live(t, { api: { requestsPerSecond: 2 }, now: () => now });
    const publish = () => post('/v1/mesh/publish', { c: 'c', d: 'x' });
    t.same([(await publish()).status, (await publish()).status], [200, 200]);
    const refused = await publish();
    t.equal(refused.status, 429);
    t.equal(refused.headers.get('retry-after'), '1');
    t.same(JSON.parse(await refused.text()), {
      E: { c: 104, m: 'more than 2 calls per second (api.requestsPerSecond)', retryAfter: 0.5 },
    });
    const client = await socket();
    t.match(JSON.parse(await client.ask({ m: 'version' })), { E: { c: 104 } });
    t.equal(mesh.counted.get('api_errors_total/overloaded'), 2);
    now = 1000;
    t.equal((await publish()).status, 200);
  },
);

t.test('without users, addresses have a rate each, and those of one IPv6 /64 one together', async (t) => {
  const api = schema.shape.api.parse({ requestsPerSecond: 1 });
  const gate = new Gate(api, accessOf({}), new FakeBackplane(), () => 0);
  const refused = (address: string) => gate.refusal('http', ANYBODY, address, 'write')?.kind;
  t.same(['10.0.0.1', '10.0.0.2', '10.0.0.1', '2001:db8::1', '2001:db8::2', '2001:db8:0:1::1'].map(refused), [
    undefined,
    undefined,
    'overloaded',
    undefined,
    'overloaded',
    undefined,
  ]);
});

t.test('one WebSocket connection has a rate of its own', async (t) => {
  const { socket } = await live(t, { api: { connectionRequestsPerSecond: 1 }, now: () => 0 });
  const client = await socket();
  t.match(JSON.parse(await client.ask({ m: 'version' })), { E: null });
  t.match(JSON.parse(await client.ask({ m: 'version' })), { E: { c: 104, m: /connectionRequestsPerSecond/ } });
  t.match(JSON.parse(await (await socket()).ask({ m: 'version' })), { E: null });
});
