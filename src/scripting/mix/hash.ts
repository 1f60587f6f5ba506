/** Digests, UUIDs: what node:crypto computes, over bytes. */
import { createHash, createHmac, randomUUID } from 'node:crypto';

export type DigestName = 'md5' | 'sha1' | 'sha256';

export function digest(name: DigestName, bytes: Uint8Array): Buffer {
  return createHash(name).update(bytes).digest();
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Buffer {
  return createHmac('sha256', key).update(message).digest();
}

/** Lower-case hexadecimal digits, as bytes. */
export function toHex(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('hex'), 'latin1');
}

/** Version 4, random. */
export function uuid(): Buffer {
  return Buffer.from(randomUUID(), 'latin1');
}
