import { randomBytes, scryptSync } from 'node:crypto';
import { once } from 'node:events';
import t from 'tap';
import { WebSocket } from 'ws';
import { Access, hostPattern } from '../../src/api/access.js';
import { addressText, countedAs, plainAddress } from '../../src/api/address.js';
import { Brake } from '../../src/api/brake.js';
import { accessOf, live } from './live.js';

const basic = (pair: string) => ({ authorization: `Basic ${Buffer.from(pair).toString('base64')}` });
const bearer = (pair: string) => ({ authorization: `Bearer ${pair}` });

/** Cheap parameters: the tests check the rules, not the cost. */
function hashOf(password: string): string {
  const salt = randomBytes(16);
  const hash = scryptSync(password, salt, 32, { N: 1024, r: 8, p: 1 });
  return `scrypt$1024$8$1$${salt.toString('base64')}$${hash.toString('base64')}`;
}

const MESSAGE = { c: 'c', d: 'x' };

t.test('Basic and Bearer logins are taken, for plain and for hashed passwords', async (t) => {
  const users = [
    { username: 'plain', password: 'pass:word' },
    { username: 'hashed', passwordHash: hashOf('secret') },
  ];
  const { answer } = await live(t, { users });
  for (const login of [
    basic('plain:pass:word'),
    bearer('plain:pass:word'),
    basic('hashed:secret'),
    bearer('hashed:secret'),
  ]) {
    t.equal((await answer('/v1/mesh/publish', MESSAGE, login))[0], 200, login.authorization);
  }
  t.equal((await answer('/v1/mesh/publish', MESSAGE, basic('hashed:secret')))[0], 200, 'a remembered login');
});

t.test('no login, a wrong one, an unknown user and nonsense are refused alike, and nothing is published', async (t) => {
  const { post, mesh } = await live(t, {
    users: [
      { username: 'a', password: 'b' },
      { username: 'h', passwordHash: hashOf('x') },
    ],
  });
  for (const headers of [{}, basic('a:c'), basic('nobody:b'), { authorization: 'Digest x' }, bearer('nocolon')]) {
    const response = await post('/v1/mesh/publish', MESSAGE, headers);
    t.equal(response.status, 401);
    t.match(response.headers.get('www-authenticate'), /^Basic realm="lumesh"/);
    t.equal(JSON.parse(await response.text()).E.c, 102);
  }
  t.equal(mesh.published.length, 0);
});

t.test('the read role may look but not publish', async (t) => {
  const { url, answer, socket } = await live(t, { users: [{ username: 'r', password: 'p', roles: ['read'] }] });
  t.equal((await fetch(`${url}/v1/nodes`, { headers: basic('r:p') })).status, 200);
  const [status, body] = await answer('/v1/mesh/publish', MESSAGE, basic('r:p'));
  t.equal(status, 403);
  t.equal(JSON.parse(body).E.c, 102);
  const client = await socket(basic('r:p'));
  t.match(JSON.parse(await client.ask({ m: 'mesh.publish', p: MESSAGE, i: 1 })), { E: { c: 102 }, i: 1 });
  t.match(JSON.parse(await client.ask({ m: 'version', i: 2 })), { E: null, i: 2 });
});

t.test('an upgrade needs a login, too', async (t) => {
  const { url } = await live(t, { users: [{ username: 'a', password: 'b' }] });
  const [, response] = await once(new WebSocket(`${url.replace('http', 'ws')}/ws/v1`), 'unexpected-response');
  t.equal(response.statusCode, 401);
});

t.test('metrics and health are open, unless the configuration says otherwise', async (t) => {
  const users = [{ username: 'a', password: 'b', roles: ['read'] }];
  const open = await live(t, { users });
  for (const path of ['/metrics', '/healthz', '/readyz']) t.equal((await fetch(open.url + path)).status, 200, path);
  const shut = await live(t, { users, metrics: 'users' });
  for (const path of ['/metrics', '/healthz', '/readyz']) t.equal((await fetch(shut.url + path)).status, 401, path);
  t.equal((await fetch(`${shut.url}/metrics`, { headers: basic('a:b') })).status, 200);
});

t.test('a user may be bound to addresses', async (t) => {
  const users = [
    { username: 'here', password: 'p', host: '127.0.*.*' },
    { username: 'there', password: 'p', host: '10.*.*.*' },
  ];
  const { answer } = await live(t, { users });
  t.equal((await answer('/v1/mesh/publish', MESSAGE, basic('here:p')))[0], 200);
  t.equal((await answer('/v1/mesh/publish', MESSAGE, basic('there:p')))[0], 401);
});

t.test('host patterns match whole addresses, part by part', async (t) => {
  const matches = (pattern: string, address: string) => hostPattern(pattern)?.test(address) ?? true;
  t.ok(matches('*', '10.1.2.3'));
  t.ok(matches('172.16.*.*', '172.16.0.9'));
  t.notOk(matches('172.16.*.*', '172.160.0.9'));
  t.notOk(matches('172.16.*.*', '1.172.16.0.9'));
  t.notOk(matches('172.16.*', '172.16.0.9'), 'one * is one part');
  t.notOk(matches('1.1.1.1', '1a1.1.1'));
  t.ok(matches('2001:db8:*', '2001:db8::1'));
});

t.test('an address has one form, whichever transport it came by', async (t) => {
  const printed = (text: string) => addressText(new TextEncoder().encode(text).buffer);
  t.equal(printed('10.1.2.3'), '10.1.2.3');
  t.equal(printed('0000:0000:0000:0000:0000:ffff:0a01:0203'), '10.1.2.3');
  t.equal(printed('0000:0000:0000:0000:0000:0000:0000:0001'), '::1');
  t.equal(plainAddress('::ffff:10.1.2.3'), '10.1.2.3');
});

t.test('whoever has one IPv6 address has its whole /64, so they count as one; IPv4 counts by itself', async (t) => {
  const counted: [string, string][] = [
    ['10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::', '2001:db8:1:2::/64'],
    ['2001:db8::6', '2001:db8:0:0::/64'],
    ['2001:db8:0:0:1::', '2001:db8:0:0::/64'],
    ['2001::2:3:4:5:6', '2001:0:0:2::/64'],
    ['::2:3:4:5:6:7:8', '0:2:3:4::/64'],
    ['::1', '0:0:0:0::/64'],
    ['::', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ];
  for (const [address, by] of counted) t.equal(countedAs(address), by, address);

  const access = new Access(accessOf({ users: [{ username: 'a', password: 'b' }] }), () => 0);
  const from = (address: string, password: string) => {
    let kind: string | undefined = 'none yet';
    access.login(bearer(`a:${password}`).authorization, plainAddress(address), (error) => {
      kind = error?.kind;
    });
    return kind;
  };
  for (let i = 1; i <= 6; i++) t.equal(from(`2001:db8::${i}`, 'guess'), 'not_authorised');
  t.equal(from('2001:db8::7', 'b'), 'overloaded', 'the next address of the same /64');
  t.equal(from('2001:db8:0:1::7', 'b'), undefined, 'an address of another one');
  for (let i = 1; i <= 6; i++) t.equal(from(`::ffff:10.0.0.${i}`, 'guess'), 'not_authorised');
  t.equal(from('::ffff:10.0.0.7', 'b'), undefined);
});

t.test('changed users hold at once, also for open connections', async (t) => {
  const users = [
    { username: 'a', password: 'b' },
    { username: 'w', password: 'w' },
  ];
  const { api, answer, socket } = await live(t, { users });
  const [client, kept, consumer] = [await socket(basic('a:b')), await socket(basic('w:w')), await socket(basic('w:w'))];
  await consumer.ask({ m: 'queue.pop', p: { t: ['login'] } });
  api.reloadAccess(accessOf({ users: [{ username: 'w', password: 'w', roles: ['write'] }] }));
  t.equal((await answer('/v1/mesh/publish', MESSAGE, basic('a:b')))[0], 401);
  t.equal(await client.closed, 1008, 'a user that is gone');
  t.equal(await consumer.closed, 1008, 'a consumer that may not read any more');
  t.match(JSON.parse(await kept.ask({ m: 'version' })), { E: { c: 102, m: /no role "read"/ } });
  t.match(JSON.parse(await kept.ask({ m: 'mesh.publish', p: MESSAGE })), { E: null });
  api.reloadAccess(accessOf({ users: [{ username: 'w', password: 'new' }] }));
  t.equal(await kept.closed, 1008, 'a changed password');
});

t.test('guessing passwords is slowed down per address, and the wait ends', async (t) => {
  let now = 0;
  const { post } = await live(t, { users: [{ username: 'a', password: 'b' }], now: () => now });
  for (let guess = 0; guess < 6; guess++)
    t.equal((await post('/v1/mesh/publish', MESSAGE, basic(`a:${guess}`))).status, 401);
  const braked = await post('/v1/mesh/publish', MESSAGE, basic('a:b'));
  t.equal(braked.status, 429, 'even the right password waits');
  t.equal(braked.headers.get('retry-after'), '1');
  now = 1001;
  t.equal((await post('/v1/mesh/publish', MESSAGE, basic('a:b'))).status, 200);
});

t.test('guesses at a hashed password count before their outcome is known', async (t) => {
  const { post } = await live(t, { users: [{ username: 'a', passwordHash: hashOf('b') }], now: () => 0 });
  const guesses = Array.from({ length: 20 }, (_, i) => post('/v1/mesh/publish', MESSAGE, basic(`a:${i}`)));
  const statuses = (await Promise.all(guesses)).map(({ status }) => status);
  t.equal(statuses.filter((status) => status === 401).length, 6);
  t.equal(statuses.filter((status) => status === 429).length, 14);
});

t.test('many connections of one back end log in at once with one check of the password', async (t) => {
  const { post } = await live(t, { users: [{ username: 'a', passwordHash: hashOf('b') }] });
  const logins = Array.from({ length: 100 }, () => post('/v1/mesh/publish', MESSAGE, basic('a:b')));
  t.ok((await Promise.all(logins)).every(({ status }) => status === 200));
});

t.test('the brake doubles up to a minute and forgets after ten', async (t) => {
  let now = 0;
  const brake = new Brake(() => now);
  const waits = [];
  for (let i = 0; i < 14; i++) {
    brake.failed('x');
    waits.push(brake.waitMs('x'));
  }
  t.same(waits, [0, 0, 0, 0, 0, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000]);
  t.equal(brake.waitMs('y'), 0);
  now = 700_000;
  brake.failed('x');
  t.equal(brake.waitMs('x'), 0);
});
