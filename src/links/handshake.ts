/**
 * How two nodes prove to each other that they know the cluster's secret, without sending it: each answers a random challenge
 * of the other with an HMAC over everything said before. The dialer proves first, so a stranger who dials learns nothing
 * to guess secrets with. docs/peers.md shows the exchange.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

/** Version of the handshake itself; the mesh's own protocol is agreed on in HELLO. */
export const HANDSHAKE_VERSION = 1;
export const NONCE_BYTES = 32;
/** Longest node id and cluster name that is taken from a stranger. */
const MAX_NAME = 255;

export const newNonce = (): Buffer => randomBytes(NONCE_BYTES);

/** Everything both sides know once the challenge has been sent. */
export interface Transcript {
  readonly cluster: string;
  readonly dialer: string;
  readonly listener: string;
  readonly dialerNonce: Uint8Array;
  readonly listenerNonce: Uint8Array;
  /** The listener's random number of this link. */
  readonly link: number;
}

/** The four proofs of a link, each good for one place only. */
export type ProofStep = 'dialer control' | 'listener control' | 'dialer data' | 'listener data';

export function prove(secret: string, step: ProofStep, said: Transcript): Buffer {
  const words = [
    'lumesh peer',
    HANDSHAKE_VERSION,
    step,
    said.cluster,
    said.dialer,
    said.listener,
    Buffer.from(said.dialerNonce).toString('hex'),
    Buffer.from(said.listenerNonce).toString('hex'),
    said.link,
  ];
  return createHmac('sha256', secret).update(JSON.stringify(words)).digest();
}

/** Whether `proof` is right, in a time that says nothing about how wrong it is. */
export function proves(proof: Uint8Array, secret: string, step: ProofStep, said: Transcript): boolean {
  const expected = prove(secret, step, said);
  return proof.length === expected.length && timingSafeEqual(proof, expected);
}

/** Why the first words of the other side are not acceptable; null when they are. The text goes to both logs. */
export function introductionProblem(
  said: { readonly version?: number; readonly cluster: string; readonly nodeId: string; readonly nonce: Uint8Array },
  cluster: string,
): string | null {
  if (said.version !== undefined && said.version !== HANDSHAKE_VERSION) {
    return `speaks version ${said.version} of the peer handshake, expected ${HANDSHAKE_VERSION}`;
  }
  if (said.cluster !== cluster) {
    return `is of cluster ${quoted(said.cluster)}, expected ${quoted(cluster)}`;
  }
  if (said.nodeId.length === 0 || said.nodeId.length > MAX_NAME) return 'has no usable node id';
  if (said.nonce.length !== NONCE_BYTES) return `sent a nonce of ${said.nonce.length} bytes, expected ${NONCE_BYTES}`;
  return null;
}

export const WRONG_SECRET = 'does not know the cluster secret';

/** A stranger's text for a log line: short, on one line. */
export function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);
}
