/** mix.jwt_verify: RFC 7515's example, every family of algorithms, and the ways in which tokens are forged. */
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { SignJWT } from 'jose';
import t from 'tap';
import { type JwtOptions, verifyJwt } from '../../../src/scripting/mix/jwt-verify.js';
import { Refused } from '../../../src/scripting/mix/refused.js';

async function check(token: string, key: string | Buffer, options: JwtOptions = {}): Promise<unknown> {
  const claims = await verifyJwt(token, Buffer.from(key as string), options);
  return claims instanceof Refused ? `refused: ${claims.error}` : JSON.parse(claims.toString());
}
const sign = (alg: string, key: KeyObject | Uint8Array, claims: object = { sub: 'u1' }) =>
  new SignJWT({ ...claims }).setProtectedHeader({ alg }).sign(key);
const pem = (key: KeyObject) => key.export({ type: 'spki', format: 'pem' }) as string;

const secret = 'a secret of more than thirty-two bytes';
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const ed = generateKeyPairSync('ed25519');
const now = Math.floor(Date.now() / 1000);

t.test('RFC 7515 A.1 is right, but long expired', async (t) => {
  const token =
    'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk';
  const key = Buffer.from(
    'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow',
    'base64url',
  );
  t.equal(await check(token, key), 'refused: the token has expired');
  t.same(await check(token, key, { clockTolerance: now, issuer: ['joe'] }), {
    iss: 'joe',
    exp: 1300819380,
    'http://example.com/is_root': true,
  });
  const jwk = JSON.stringify({ kty: 'oct', k: key.toString('base64url') });
  t.match(await check(token, jwk, { clockTolerance: now }), { iss: 'joe' }, 'the same key as JWK');
});

t.test('each kind of key checks the algorithms of its family', async (t) => {
  for (const alg of ['HS256', 'HS384', 'HS512'])
    t.same(await check(await sign(alg, Buffer.from(secret)), secret), { sub: 'u1' });
  for (const alg of ['RS256', 'RS512', 'PS256']) {
    t.same(await check(await sign(alg, rsa.privateKey), pem(rsa.publicKey)), { sub: 'u1' });
  }
  t.same(await check(await sign('ES256', p256.privateKey), pem(p256.publicKey)), { sub: 'u1' });
  t.same(await check(await sign('ES384', p384.privateKey), pem(p384.publicKey)), { sub: 'u1' });
  t.same(await check(await sign('EdDSA', ed.privateKey), pem(ed.publicKey)), { sub: 'u1' });
  const jwk = JSON.stringify(ed.publicKey.export({ format: 'jwk' }));
  t.same(await check(await sign('EdDSA', ed.privateKey), jwk), { sub: 'u1' }, 'a JWK');
});

t.test('no form of a public key can be used as a secret', async (t) => {
  const { publicKey } = rsa;
  const forms: [string, string | Buffer][] = [
    ['PEM', pem(publicKey)],
    ['PEM with other white space', `\n ${pem(publicKey).trim()}\n\n`],
    ['PKCS#1 PEM', publicKey.export({ type: 'pkcs1', format: 'pem' }) as string],
    ['DER', publicKey.export({ type: 'spki', format: 'der' })],
    ['bare base64', publicKey.export({ type: 'spki', format: 'der' }).toString('base64')],
    ['JWK', JSON.stringify(publicKey.export({ format: 'jwk' }))],
  ];
  for (const [form, key] of forms) {
    const forged = await sign('HS256', Buffer.from(key as string), { sub: 'admin' });
    t.equal(await check(forged, key), "refused: the token's algorithm is not allowed with this key", form);
    t.match(
      await check(forged, key, { algorithms: ['HS256'] }),
      /^refused: algorithm HS256 does not go with this key/,
      `${form}, asked for by the script`,
    );
  }
});

t.test('forged, foreign and broken tokens are refused with the reason', async (t) => {
  const good = await sign('HS256', Buffer.from(secret));
  const [header, claims, signature] = good.split('.') as [string, string, string];
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  t.match(await check(`${none}.${claims}.`, secret), /^refused: /);
  t.match(await check(`${none}.${claims}.`, secret, { algorithms: ['none'] }), /^refused: algorithm none does not go/);
  t.equal(await check(good, 'another secret'), 'refused: the signature does not match');
  const changed = Buffer.from('{"sub":"admin"}').toString('base64url');
  t.equal(await check(`${header}.${changed}.${signature}`, secret), 'refused: the signature does not match');
  t.equal(
    await check(await sign('RS256', rsa.privateKey), pem(ed.publicKey)),
    "refused: the token's algorithm is not allowed with this key",
  );
  t.equal(
    await check(await sign('HS512', Buffer.from(secret)), secret, { algorithms: ['HS256'] }),
    "refused: the token's algorithm is not allowed with this key",
  );
  for (const text of ['', 'a', 'a.b.c', '..', good.slice(0, -1).slice(0, 20)])
    t.match(await check(text, secret), /^refused: not a valid token/);
  t.equal(await check(good, ''), 'refused: the key is empty');
  t.match(
    await check(good, ed.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string),
    /^refused: a private key/,
  );
  t.match(
    await check(good, '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----'),
    /^refused: the PEM text is not/,
  );
  t.match(await check(good, 'ssh-ed25519 AAAA'), /^refused: an SSH key/);
});

t.test('times, issuer and audience are checked', async (t) => {
  const token = (more: object) => sign('HS256', Buffer.from(secret), more);
  t.equal(await check(await token({ exp: now - 10 }), secret), 'refused: the token has expired');
  t.match(await check(await token({ exp: now - 10 }), secret, { clockTolerance: 60 }), { exp: now - 10 });
  t.equal(await check(await token({ nbf: now + 60 }), secret), 'refused: the token is not valid yet');
  t.match(await check(await token({ iss: 'a', aud: ['x', 'y'] }), secret, { issuer: ['a', 'b'], audience: ['y'] }), {
    iss: 'a',
  });
  t.equal(
    await check(await token({ iss: 'c' }), secret, { issuer: ['a', 'b'] }),
    "refused: the token's iss is not the right one",
  );
  t.equal(await check(await token({}), secret, { audience: ['y'] }), 'refused: the token has no aud');
});
