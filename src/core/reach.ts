/**
 * Reaching one connection by its client id, on whichever node it is: here directly, elsewhere by asking the process that the
 * id names (client-id.ts). Also the two questions that every node answers about itself. Publishing is router.ts.
 */
import { bootOfClientId } from './client-id.js';
import type { AskOutcome } from './message.js';
import type { ChannelExplanation } from './report.js';

/** How a send or call to one connection ended. */
export type ReachOutcome =
  | { readonly ok: true }
  | {
      readonly ok: false;
      /** `no_connection`: gone or never there; `unreachable`: its node did not answer; `refused`: it said no. */
      readonly reason: 'no_connection' | 'unreachable' | 'refused' | 'invalid';
      readonly text: string;
    };

/** The connections of this node. */
export interface LocalConnections {
  /** Hands bytes over; null when this node has no such connection. */
  send(clientId: string, payload: Uint8Array, binary: boolean): ReachOutcome | null;
  /** Carries out a call of the API on a connection; `done` is called once. False when this node has no such connection. */
  call(clientId: string, name: string, args: readonly unknown[], done: (outcome: ReachOutcome) => void): boolean;
}

/** What a node says of itself to the others. */
export interface SelfReport {
  readonly connections: number;
  readonly channels: number;
  readonly subscriptions: number;
}

/** The part of the mesh that this needs. */
export interface Asking {
  readonly boot: number;
  ask(boot: number, op: string, body: Uint8Array, done: (outcome: AskOutcome) => void): void;
  answer(op: string, fn: (body: Uint8Array, reply: (ok: boolean, body: Uint8Array) => void) => void): void;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array(0);

/** Bytes before the payload of a `send` question: flags, length of the id. */
const SEND_HEAD = 2;

export class Reach {
  constructor(
    private readonly mesh: Asking,
    private readonly local: LocalConnections,
  ) {
    mesh.answer('send', (body, reply) => {
      const idEnd = SEND_HEAD + body[1];
      const outcome = this.sendHere(
        decoder.decode(body.subarray(SEND_HEAD, idEnd)),
        body.subarray(idEnd),
        body[0] === 1,
      );
      reply(true, encodeJson(outcome));
    });
    mesh.answer('call', (body, reply) => {
      const { id, name, args } = decodeJson(body) as { id: string; name: string; args: unknown[] };
      this.callHere(id, name, args, (outcome) => reply(true, encodeJson(outcome)));
    });
  }

  /** Sends to one client of any node; `done` is called once, perhaps at once. */
  send(clientId: string, payload: Uint8Array, binary: boolean, done: (outcome: ReachOutcome) => void): void {
    const boot = bootOfClientId(clientId);
    if (boot === null) return done(notAnId(clientId));
    if (boot === this.mesh.boot) return done(this.sendHere(clientId, payload, binary));
    const id = encoder.encode(clientId);
    const body = new Uint8Array(SEND_HEAD + id.length + payload.length);
    body[0] = binary ? 1 : 0;
    body[1] = id.length;
    body.set(id, SEND_HEAD);
    body.set(payload, SEND_HEAD + id.length);
    this.mesh.ask(boot, 'send', body, (answer) => done(outcomeOf(answer, clientId)));
  }

  /** Carries out a call on a connection of any node; `args` are JSON values. */
  call(clientId: string, name: string, args: readonly unknown[], done: (outcome: ReachOutcome) => void): void {
    const boot = bootOfClientId(clientId);
    if (boot === null) return done(notAnId(clientId));
    if (boot === this.mesh.boot) return this.callHere(clientId, name, args, done);
    this.mesh.ask(boot, 'call', encodeJson({ id: clientId, name, args }), (answer) =>
      done(outcomeOf(answer, clientId)),
    );
  }

  private sendHere(clientId: string, payload: Uint8Array, binary: boolean): ReachOutcome {
    return this.local.send(clientId, payload, binary) ?? gone(clientId);
  }

  private callHere(
    clientId: string,
    name: string,
    args: readonly unknown[],
    done: (outcome: ReachOutcome) => void,
  ): void {
    if (!this.local.call(clientId, name, args, done)) done(gone(clientId));
  }
}

/** Answers the questions about this node itself. */
export function answerAboutSelf(
  mesh: Asking,
  self: () => SelfReport,
  explain: (channel: string) => ChannelExplanation,
): void {
  mesh.answer('self', (_body, reply) => reply(true, encodeJson(self())));
  mesh.answer('channel', (body, reply) => reply(true, encodeJson(explain(decoder.decode(body)))));
}

/** Asks a node about itself; null when it does not answer. */
export function askSelf(mesh: Asking, boot: number, done: (report: SelfReport | null) => void): void {
  mesh.ask(boot, 'self', NOTHING, (answer) => done(answer.ok ? (decodeJson(answer.body) as SelfReport) : null));
}

/** Asks a node what it knows of a channel; null when it does not answer. */
export function askChannel(
  mesh: Asking,
  boot: number,
  channel: string,
  done: (explanation: ChannelExplanation | null) => void,
): void {
  mesh.ask(boot, 'channel', encoder.encode(channel), (answer) =>
    done(answer.ok ? (decodeJson(answer.body) as ChannelExplanation) : null),
  );
}

function outcomeOf(answer: AskOutcome, clientId: string): ReachOutcome {
  if (answer.ok) return decodeJson(answer.body) as ReachOutcome;
  if (answer.reason === 'no_such_node')
    return { ok: false, reason: 'no_connection', text: `the node of connection ${clientId} is gone` };
  return {
    ok: false,
    reason: 'unreachable',
    text: `the node of connection ${clientId} did not answer: ${answer.text}`,
  };
}

function gone(clientId: string): ReachOutcome {
  return { ok: false, reason: 'no_connection', text: `there is no connection ${clientId}` };
}

function notAnId(clientId: string): ReachOutcome {
  return {
    ok: false,
    reason: 'no_connection',
    text: `${JSON.stringify(clientId.slice(0, 40))} is no client id: expected a decimal number below 2^63`,
  };
}

function encodeJson(value: unknown): Uint8Array {
  return encoder.encode(JSON.stringify(value));
}

function decodeJson(body: Uint8Array): unknown {
  return JSON.parse(decoder.decode(body));
}
