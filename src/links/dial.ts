/**
 * Opening a link from our side: two connections to one address, the handshake on the first, the second joined to it. Ends in
 * an open pair of lanes, or in the reason why not.
 */
import { Client, status as Status } from '@grpc/grpc-js';
import type { LinkEnd } from '../core/ports.js';
import { readBatch } from '../wire/batch.js';
import { MalformedBatch } from '../wire/bytes.js';
import type { LinkFrame } from '../wire/kinds.js';
import { Names } from '../wire/names.js';
import type { Certificates } from './certificates.js';
import { DialCredentials } from './credentials.js';
import {
  HANDSHAKE_VERSION,
  introductionProblem,
  newNonce,
  prove,
  proves,
  type Transcript,
  WRONG_SECRET,
} from './handshake.js';
import { type GrpcStream, Lane, type StreamEnd } from './lane.js';
import type { Carrier, Lanes } from './link.js';
import { grpcOptions, type LinkLimits } from './options.js';

export const PATHS = { control: '/lumesh.peer.Peer/Control', data: '/lumesh.peer.Peer/Data' } as const;
/** What is not addressed so is nothing that a node dials (a gossiped `unix:/…` least of all). */
const ADDRESS = /^(\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9._-]+):[0-9]{1,5}$/;

/** Who we are, for the other side. */
export interface Introduction {
  readonly clusterName: string;
  readonly secret: string;
  readonly nodeId: string;
}

export interface DialOutcome {
  opened(peer: string, carrier: Carrier, lanes: Lanes): void;
  /** `peer` is the node id that the other side gave, '' when it did not come so far. */
  failed(end: LinkEnd, text: string, peer: string): void;
}

const same = (bytes: Buffer) => bytes;

export class Dial {
  readonly #credentials: DialCredentials;
  readonly #clients: Client[] = [];
  readonly #names = new Names();
  readonly #nonce = newNonce();
  readonly #timer: NodeJS.Timeout;
  #said: Transcript | null = null;
  #control: Lane | null = null;
  #data: Lane | null = null;
  #expects: 'challenge' | 'welcome' | 'data welcome' = 'challenge';
  #over = false;

  constructor(
    private readonly address: string,
    private readonly self: Introduction,
    private readonly limits: LinkLimits,
    certificates: Certificates | null,
    private readonly outcome: DialOutcome,
  ) {
    this.#credentials = new DialCredentials(certificates?.context ?? null);
    this.#timer = setTimeout(() => this.#fail('unreachable', `no answer within ${limits.openMs} ms`), limits.openMs);
    this.#timer.unref();
    if (ADDRESS.test(address)) this.#begin();
    else setImmediate(() => this.#fail('unreachable', 'this is no address of the form host:port'));
  }

  /** Gives up without a word to the outcome. */
  cancel(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#sever();
  }

  #begin(): void {
    this.#control = this.#open('control');
    this.#control.say({
      kind: 'greeting',
      version: HANDSHAKE_VERSION,
      cluster: this.self.clusterName,
      nodeId: this.self.nodeId,
      nonce: this.#nonce,
    });
  }

  #open(lane: 'control' | 'data'): Lane {
    const window = lane === 'data' ? this.limits.windowBytes : 65_535;
    const client = new Client(`dns:${this.address}`, this.#credentials, grpcOptions(this.limits, window));
    this.#clients.push(client);
    const stream = client.makeBidiStreamRequest(PATHS[lane], same, same) as unknown as GrpcStream;
    return new Lane(stream, this.limits, {
      batch: (bytes) => this.#batch(bytes),
      sent: () => {},
      drained: () => {},
      ended: (end) => this.#ended(end),
    });
  }

  #batch(bytes: Buffer): void {
    if (this.#over) return;
    try {
      for (const frame of readBatch(bytes, 'link', this.#names, 4096)) this.#heard(frame as LinkFrame);
    } catch (error) {
      if (!(error instanceof MalformedBatch)) throw error;
      this.#fail('unreachable', `what answers there is no peer: ${error.message}`);
    }
  }

  #heard(frame: LinkFrame): void {
    if (this.#over) return;
    if (frame.kind === 'challenge' && this.#expects === 'challenge') this.#challenged(frame);
    else if (frame.kind === 'welcome' && this.#expects !== 'challenge') this.#welcomed(frame.proof);
    else this.#fail('unreachable', `the peer sent ${frame.kind} where ${this.#expects} was due`);
  }

  #challenged(challenge: LinkFrame & { kind: 'challenge' }): void {
    const problem = introductionProblem(challenge, this.self.clusterName);
    this.#said = {
      cluster: this.self.clusterName,
      dialer: this.self.nodeId,
      listener: challenge.nodeId,
      dialerNonce: this.#nonce,
      listenerNonce: challenge.nonce,
      link: challenge.link,
    };
    if (problem !== null) {
      this.#fail('denied', `the peer ${problem}`);
      return;
    }
    this.#expects = 'welcome';
    this.#control!.say({ kind: 'proof', proof: prove(this.self.secret, 'dialer control', this.#said) });
  }

  #welcomed(proof: Uint8Array): void {
    const said = this.#said!;
    const onData = this.#expects === 'data welcome';
    if (!proves(proof, this.self.secret, onData ? 'listener data' : 'listener control', said)) {
      this.#fail('denied', `the peer ${WRONG_SECRET}`);
      return;
    }
    if (onData) {
      this.#opened();
      return;
    }
    this.#expects = 'data welcome';
    this.#data = this.#open('data');
    this.#data.say({ kind: 'join', link: said.link, proof: prove(this.self.secret, 'dialer data', said) });
  }

  #opened(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    const socket = this.#credentials.sockets[0];
    const carrier: Carrier = {
      remote: `${socket.remoteAddress}:${socket.remotePort}`,
      release: () => this.#release(),
      sever: () => this.#credentials.cut(),
    };
    this.outcome.opened(this.#said!.listener, carrier, { control: this.#control!, data: this.#data! });
  }

  #ended(end: StreamEnd): void {
    const { tlsProblem } = this.#credentials;
    if (end.code === Status.PERMISSION_DENIED) this.#fail('denied', end.text);
    else if (tlsProblem !== null) this.#fail('denied', `TLS: ${tlsProblem}`);
    else if (end.code === Status.UNIMPLEMENTED) this.#fail('unreachable', 'what answers there is no peer');
    else this.#fail(end.text.includes('ECONNREFUSED') ? 'refused' : 'unreachable', reasonOf(end.text));
  }

  #fail(end: LinkEnd, text: string): void {
    if (this.#over) return;
    this.cancel();
    this.outcome.failed(end, text, this.#said?.listener ?? '');
  }

  #release(): void {
    for (const client of this.#clients) client.close();
  }

  #sever(): void {
    this.#release();
    this.#credentials.cut();
  }
}

/** grpc-js wraps what the operating system said into its own words and the time of day. */
function reasonOf(text: string): string {
  return (
    /Last error: (.*?)(?: \(\d{4}-\d\d-\d\dT|\. Resolution note|$)/s.exec(text)?.[1] || text || 'the connection broke'
  );
}
