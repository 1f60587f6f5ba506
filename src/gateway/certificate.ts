/** The certificate and key of a client server, checked before they are used. */
import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { MeshError } from '../errors.js';

interface TlsFiles {
  readonly cert: string;
  readonly key: string;
}

/** Reads both files; a MeshError names the file that is missing, or says that the two don't fit. */
export function certificateOf(tls: TlsFiles): { cert: Buffer; key: Buffer } {
  const pair = { cert: read(tls.cert), key: read(tls.key) };
  try {
    createSecureContext(pair);
  } catch (error) {
    throw new MeshError('invalid_argument', `${tls.cert} and ${tls.key} can't be used: ${(error as Error).message}`);
  }
  return pair;
}

function read(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new MeshError('invalid_argument', `TLS file can't be read: ${(error as Error).message}`);
  }
}
