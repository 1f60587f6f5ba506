/**
 * Checks of JSON Web Tokens (RFC 7519) through jose. The key alone decides which algorithms are possible: a secret allows HMAC,
 * a public key only what its own kind signs. So no token can choose to be checked with a public key as if it were a secret.
 */
import { createPublicKey, createSecretKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { Refused } from './refused.js';

export interface JwtOptions {
  readonly issuer?: readonly string[];
  readonly audience?: readonly string[];
  readonly algorithms?: readonly string[];
  /** Seconds by which clocks may differ. */
  readonly clockTolerance?: number;
}

/** A key with the algorithms that it allows. */
interface UsableKey {
  readonly key: KeyObject;
  readonly algorithms: readonly string[];
}

const HMAC = ['HS256', 'HS384', 'HS512'];
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const CURVES: Readonly<Record<string, string>> = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' };

/** The token's claims as JSON text, once signature, times, issuer and audience were found right. */
export async function verifyJwt(token: string, key: Buffer, options: JwtOptions): Promise<Buffer | Refused> {
  const usable = keyOf(key);
  if (usable instanceof Refused) return usable;
  const algorithms = options.algorithms ?? usable.algorithms;
  for (const name of algorithms) {
    if (!usable.algorithms.includes(name)) {
      return new Refused(`algorithm ${name} does not go with this key, which allows ${usable.algorithms.join(', ')}`);
    }
  }
  try {
    await jwtVerify(token, usable.key, {
      algorithms: [...algorithms],
      ...(options.issuer ? { issuer: [...options.issuer] } : {}),
      ...(options.audience ? { audience: [...options.audience] } : {}),
      clockTolerance: options.clockTolerance ?? 0,
    });
    return Buffer.from(token.split('.')[1] ?? '', 'base64url');
  } catch (error) {
    return new Refused(explain(error as Error));
  }
}

/** Keys by their text, since parsing one costs more than a check. */
const known = new Map<string, UsableKey | Refused>();
const MAX_KNOWN = 64;

function keyOf(text: Buffer): UsableKey | Refused {
  const name = text.toString('latin1');
  let key = known.get(name);
  if (key === undefined) {
    key = parseKey(text);
    if (known.size >= MAX_KNOWN) known.clear();
    known.set(name, key);
  }
  return key;
}

/** Whatever can be read as a key pair's half is one; only the rest is a secret. */
function parseKey(text: Buffer): UsableKey | Refused {
  const written = text.toString('latin1').trim();
  if (written === '') return new Refused('the key is empty');
  if (written.includes('-----BEGIN')) {
    if (written.includes('PRIVATE KEY-----')) return new Refused('a private key was given: give the public one');
    const key = publicKey(() => createPublicKey(written));
    return key === null ? new Refused('the PEM text is not a public key or certificate') : allow(key);
  }
  if (/^(ssh-|ecdsa-sha2-)/.test(written)) return new Refused('an SSH key was given: give the public key as PEM');
  if (written.startsWith('{')) return parseJwk(written, text);
  for (const der of [text, Buffer.from(written, 'base64')]) {
    const key =
      publicKey(() => createPublicKey({ key: der, format: 'der', type: 'spki' })) ??
      publicKey(() => createPublicKey({ key: der, format: 'der', type: 'pkcs1' }));
    if (key !== null) return allow(key);
  }
  return { key: createSecretKey(text), algorithms: HMAC };
}

/** A JSON Web Key (RFC 7517): public, or a secret of kty "oct". JSON without a kty is a secret like any other text. */
function parseJwk(written: string, text: Buffer): UsableKey | Refused {
  let jwk: { kty?: unknown; k?: unknown; keys?: unknown };
  try {
    jwk = JSON.parse(written);
  } catch {
    return { key: createSecretKey(text), algorithms: HMAC };
  }
  if (jwk.keys !== undefined) return new Refused('a JSON Web Key Set was given: give one key of it');
  if (jwk.kty === undefined) return { key: createSecretKey(text), algorithms: HMAC };
  if (jwk.kty === 'oct') {
    if (typeof jwk.k !== 'string' || jwk.k === '') return new Refused('the JSON Web Key has no "k"');
    return { key: createSecretKey(Buffer.from(jwk.k, 'base64url')), algorithms: HMAC };
  }
  const key = publicKey(() => createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' }));
  return key === null ? new Refused('the JSON Web Key is not a public key') : allow(key);
}

function publicKey(make: () => KeyObject): KeyObject | null {
  try {
    return make();
  } catch {
    return null;
  }
}

function allow(key: KeyObject): UsableKey | Refused {
  const kind = key.asymmetricKeyType ?? '';
  if (kind === 'rsa') return { key, algorithms: RSA };
  if (kind === 'ed25519') return { key, algorithms: ['EdDSA', 'Ed25519'] };
  const algorithm = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
  if (kind === 'ec' && algorithm !== undefined) return { key, algorithms: [algorithm] };
  return new Refused(`a key of type ${kind} cannot check tokens`);
}

function explain(error: Error): string {
  if (error instanceof errors.JWTExpired) return 'the token has expired';
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === 'nbf') return 'the token is not valid yet';
    return error.reason === 'missing'
      ? `the token has no ${error.claim}`
      : `the token's ${error.claim} is not the right one`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'the signature does not match';
  if (error instanceof errors.JOSEAlgNotAllowed) return "the token's algorithm is not allowed with this key";
  return `not a valid token: ${error.message}`;
}
