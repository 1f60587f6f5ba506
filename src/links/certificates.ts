/**
 * The certificates of mutual TLS between peers: read from their files, checked, and read again when a file changes. The
 * authority in `ca` is the mesh's own; whoever has a certificate of it is a peer, from whatever address it comes (the
 * addresses of containers change, so host names are not compared).
 */
import { readFileSync } from 'node:fs';
import { createSecureContext, type SecureContext } from 'node:tls';
import type { Log } from '../core/ports.js';
import { MeshError } from '../errors.js';
import type { TlsFiles } from './options.js';

/** What node:tls wants to know. */
export interface Pem {
  readonly cert: Buffer;
  readonly key: Buffer;
  readonly ca: Buffer;
}

const PARTS = ['cert', 'key', 'ca'] as const;

export class Certificates {
  #pem: Pem;
  #context: SecureContext;
  readonly #changed = new Set<(pem: Pem) => void>();
  readonly #timer: NodeJS.Timeout;

  /** Throws MeshError naming the file when one cannot be read or used. */
  constructor(
    private readonly files: TlsFiles,
    private readonly log: Log,
    reloadMs: number,
  ) {
    this.#pem = read(files);
    this.#context = contextOf(this.#pem, files);
    this.#timer = setInterval(() => this.reload(), reloadMs);
    this.#timer.unref();
  }

  get pem(): Pem {
    return this.#pem;
  }

  get context(): SecureContext {
    return this.#context;
  }

  onChange(fn: (pem: Pem) => void): void {
    this.#changed.add(fn);
  }

  /** Takes over changed files; files that do not fit leave the old ones in force, with a line in the log. */
  reload(): void {
    try {
      const pem = read(this.files);
      if (PARTS.every((part) => pem[part].equals(this.#pem[part]))) return;
      this.#context = contextOf(pem, this.files);
      this.#pem = pem;
    } catch (error) {
      this.log.error('peer certificates not taken over, the old ones stay in force', {
        error: (error as Error).message,
      });
      return;
    }
    this.log.info('peer certificates reloaded', { cert: this.files.cert });
    for (const fn of this.#changed) fn(this.#pem);
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}

/** Null when no TLS is wanted. Throws MeshError when only some of the files are named. */
export function loadCertificates(files: TlsFiles, log: Log, reloadMs: number): Certificates | null {
  const named = PARTS.filter((part) => files[part] !== '');
  if (named.length === 0) return null;
  const missing = PARTS.filter((part) => files[part] === '').map((part) => `cluster.tls.${part}`);
  if (missing.length > 0) {
    throw new MeshError('invalid_argument', `mutual TLS needs three files; set ${missing.join(' and ')}, too`);
  }
  return new Certificates(files, log, reloadMs);
}

function read(files: TlsFiles): Pem {
  const one = (part: (typeof PARTS)[number]) => {
    try {
      return readFileSync(files[part]);
    } catch (error) {
      throw new MeshError('invalid_argument', `cluster.tls.${part}: ${(error as Error).message}`);
    }
  };
  return { cert: one('cert'), key: one('key'), ca: one('ca') };
}

function contextOf(pem: Pem, files: TlsFiles): SecureContext {
  try {
    return createSecureContext({ ...pem, minVersion: 'TLSv1.2' });
  } catch (error) {
    const { cert, key, ca } = files;
    throw new MeshError('invalid_argument', `cluster.tls: ${cert}, ${key} and ${ca}: ${(error as Error).message}`);
  }
}
