/**
 * Opening a link from the other side: a control stream that greets, is challenged and proves, and a data stream that joins
 * it. Whoever fails is refused with the reason, which both sides log.
 */
import { randomInt } from 'node:crypto';
import { status as Status } from '@grpc/grpc-js';
import { readBatch } from '../wire/batch.js';
import { MalformedBatch } from '../wire/bytes.js';
import type { LinkFrame } from '../wire/kinds.js';
import { Names } from '../wire/names.js';
import type { Introduction } from './dial.js';
import { introductionProblem, newNonce, prove, proves, quoted, type Transcript, WRONG_SECRET } from './handshake.js';
import { type GrpcStream, Lane } from './lane.js';
import type { Lanes } from './link.js';
import type { LinkLimits } from './options.js';

export interface ArrivalOutcome {
  opened(peer: string, lanes: Lanes, remotes: readonly string[]): void;
  /** `peer` is the node id that it gave, '' when it gave none. */
  denied(remote: string, peer: string, why: string): void;
}

interface Half {
  readonly control: Lane;
  readonly remote: string;
  readonly said: Transcript;
  welcomed: boolean;
}

export class Arrivals {
  /** Control streams that have greeted and are not open yet, by the link's number. */
  readonly #halves = new Map<number, Half>();
  readonly #names = new Names();

  constructor(
    private readonly self: Introduction,
    private readonly limits: LinkLimits,
    private readonly outcome: ArrivalOutcome,
  ) {}

  /** A new stream; it has until the listener's time bound to come to something. With a `problem` it comes to nothing. */
  arrived(lane: 'control' | 'data', stream: GrpcStream, remote: string, problem: string | null): void {
    if (problem !== null) {
      this.#deny(stream, remote, '', problem);
      return;
    }
    let half: Half | null = null;
    const begun = new Lane(stream, this.limits, {
      batch: (bytes) => {
        const frame = this.#read(bytes);
        if (lane === 'control') {
          if (frame?.kind === 'greeting' && half === null) half = this.#greeted(frame, begun, stream, remote);
          else if (frame?.kind === 'proof' && half !== null) this.#proved(frame.proof, half, stream);
          else this.#deny(stream, remote, half?.said.dialer ?? '', 'does not speak as a peer does');
        } else if (frame?.kind === 'join') this.#joined(frame, begun, stream, remote);
        else this.#deny(stream, remote, '', 'does not speak as a peer does');
      },
      sent: () => {},
      drained: () => {},
      ended: () => {
        if (half !== null) this.#halves.delete(half.said.link);
      },
    });
  }

  #read(bytes: Buffer): LinkFrame | null {
    try {
      const frames = readBatch(bytes, 'link', this.#names, 4096);
      return frames.length === 1 ? (frames[0] as LinkFrame) : null;
    } catch (error) {
      if (!(error instanceof MalformedBatch)) throw error;
      return null;
    }
  }

  #greeted(greeting: LinkFrame & { kind: 'greeting' }, control: Lane, stream: GrpcStream, remote: string): Half | null {
    const problem = introductionProblem(greeting, this.self.clusterName);
    if (problem !== null) {
      this.#deny(stream, remote, greeting.nodeId, problem);
      return null;
    }
    const nonce = newNonce();
    // Not to be guessed: a join names it.
    const link = randomInt(1, 2 ** 47);
    const said: Transcript = {
      cluster: this.self.clusterName,
      dialer: greeting.nodeId,
      listener: this.self.nodeId,
      dialerNonce: Uint8Array.prototype.slice.call(greeting.nonce),
      listenerNonce: nonce,
      link,
    };
    control.say({ kind: 'challenge', cluster: this.self.clusterName, nodeId: this.self.nodeId, nonce, link });
    const half: Half = { control, remote, said, welcomed: false };
    this.#halves.set(link, half);
    return half;
  }

  #proved(proof: Uint8Array, half: Half, stream: GrpcStream): void {
    if (half.welcomed || !proves(proof, this.self.secret, 'dialer control', half.said)) {
      this.#halves.delete(half.said.link);
      this.#deny(stream, half.remote, half.said.dialer, WRONG_SECRET);
      return;
    }
    half.welcomed = true;
    half.control.say({ kind: 'welcome', proof: prove(this.self.secret, 'listener control', half.said) });
  }

  #joined(join: LinkFrame & { kind: 'join' }, data: Lane, stream: GrpcStream, remote: string): void {
    const half = this.#halves.get(join.link);
    if (!half?.welcomed || !proves(join.proof, this.self.secret, 'dialer data', half.said)) {
      this.#deny(stream, remote, half?.said.dialer ?? '', 'joins a link that it did not open');
      return;
    }
    this.#halves.delete(join.link);
    data.say({ kind: 'welcome', proof: prove(this.self.secret, 'listener data', half.said) });
    this.outcome.opened(half.said.dialer, { control: half.control, data }, [half.remote, remote]);
  }

  #deny(stream: GrpcStream, remote: string, peer: string, why: string): void {
    const text = `node ${quoted(this.self.nodeId)} refuses this node: it ${why}`;
    stream.emit('error', Object.assign(new Error(text), { code: Status.PERMISSION_DENIED, details: text }));
    this.outcome.denied(remote, peer, why);
  }
}
