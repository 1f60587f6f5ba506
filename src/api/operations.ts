/**
 * Everything that a back end can ask of the mesh, each checked once: HTTP, WebSocket and gRPC only turn their bytes into these
 * calls and the outcomes into their envelopes, so limits and errors are the same over all of them. Queue consumption lives in
 * queue.ts and subscribing in back-end.ts, because they belong to one connection.
 */
import { channelProblem } from '../core/channel.js';
import { bootOfClientId } from '../core/client-id.js';
import type { PublishResult } from '../core/message.js';
import { CHANNELS, PATTERNS, type Subscribable } from '../core/subscribable.js';
import { MeshError } from '../errors.js';
import { excerpt } from './json.js';
import {
  type Backplane,
  CALLS,
  type CallName,
  type CallOutcome,
  type ChannelReport,
  type NodeReport,
} from './roles.js';

/** Exactly one of the two is null. */
export type Done<T> = (error: MeshError | null, result: T) => void;

/** Channels or patterns that one call may name. */
export const MAX_AT_ONCE = 1000;
/** Nesting of conn.call's arguments; the connection's node turns them into Lua tables. */
const MAX_DEPTH = 64;
const EMPTY: PublishResult = { success: 0, fail: 0, unconfirmed: [] };

export interface Version {
  readonly version: string;
  readonly node: string;
}

export class Operations {
  constructor(private readonly backplane: Backplane) {}

  /**
   * Publishes to one channel. `data` is the mesh's from here on, and UTF-8 where it is text. `wait` false: `done` gets zeros as
   * soon as the message is accepted.
   */
  publish(channel: unknown, data: Uint8Array, binary: boolean, wait: boolean, done: Done<PublishResult>): void {
    const problem = channelProblem(channel);
    if (problem !== null) return done(invalid(problem), EMPTY);
    const refused = this.backplane.publish(
      channel as string,
      data,
      binary,
      wait ? (result) => done(null, result) : null,
    );
    if (refused !== null) done(this.notAccepted(refused), EMPTY);
    else if (!wait) done(null, EMPTY);
  }

  /** Publishes the same bytes to several channels and sums the counts. Nothing is published when one name is wrong. */
  broadcast(channels: unknown, data: Uint8Array, binary: boolean, wait: boolean, done: Done<PublishResult>): void {
    const problem = listProblem(CHANNELS, channels);
    if (problem !== null) return done(invalid(problem), EMPTY);
    const names = [...new Set(channels as string[])];
    let success = 0;
    let fail = 0;
    const unconfirmed = new Set<string>();
    let waiting = 1;
    const arrived = (): void => {
      if (--waiting === 0) done(null, { success, fail, unconfirmed: [...unconfirmed] });
    };
    for (const [index, name] of names.entries()) {
      waiting++;
      const refused = this.backplane.publish(name, data, binary, (result) => {
        success += result.success;
        fail += result.fail;
        for (const node of result.unconfirmed) unconfirmed.add(node);
        if (wait) arrived();
      });
      if (refused === null) {
        if (!wait) arrived();
        continue;
      }
      const error = this.notAccepted(refused);
      const text = `${error.message}; ${index} of ${names.length} channels were published to`;
      return done(new MeshError(error.kind, text, error.retryAfter), EMPTY);
    }
    arrived();
  }

  /** Sends to one client of any node. */
  send(clientId: unknown, data: Uint8Array, binary: boolean, done: Done<null>): void {
    const problem = clientIdProblem(clientId);
    if (problem !== null) return done(invalid(problem), null);
    if (bootOfClientId(clientId as string) === null) return done(noSuchConnection('send_failed', clientId), null);
    this.backplane.send(clientId as string, data, binary, (outcome) => done(callError(outcome, 'send_failed'), null));
  }

  /** Calls a function of one connection of any node. */
  call(clientId: unknown, name: unknown, args: unknown, done: Done<null>): void {
    const problem = clientIdProblem(clientId) ?? callProblem(name, args);
    if (problem !== null) return done(invalid(problem), null);
    if (bootOfClientId(clientId as string) === null) return done(noSuchConnection('call_failed', clientId), null);
    const list = (args ?? []) as unknown[];
    const passed = name === 'set_context' && Array.isArray(list[0]) ? [{}] : list;
    this.backplane.call(clientId as string, name as CallName, passed, (outcome) =>
      done(callError(outcome, 'call_failed'), null),
    );
  }

  nodes(done: Done<readonly NodeReport[]>): void {
    this.backplane.nodes((nodes) => done(null, nodes));
  }

  channel(channel: unknown, done: Done<ChannelReport | null>): void {
    const problem = channelProblem(channel);
    if (problem !== null) return done(invalid(problem), null);
    this.backplane.channel(channel as string, (report) => done(null, report));
  }

  version(): Version {
    return { version: this.backplane.version, node: this.backplane.nodeId };
  }

  private notAccepted(text: string): MeshError {
    const { ready } = this.backplane.readiness();
    return new MeshError(ready ? 'overloaded' : 'not_ready', text, 1);
  }
}

export function invalid(text: string): MeshError {
  return new MeshError('invalid_argument', text);
}

/** What is wrong with a list of channels, or of patterns. */
export function listProblem({ kind, problem }: Subscribable, list: unknown): string | null {
  if (!Array.isArray(list)) return `${kind}s must be a list of strings`;
  if (list.length === 0) return `the list of ${kind}s must not be empty`;
  if (list.length > MAX_AT_ONCE) return `at most ${MAX_AT_ONCE} ${kind}s at once, not ${list.length}`;
  for (const text of list) {
    const wrong = problem(text);
    if (wrong !== null) return wrong;
  }
  return null;
}

function clientIdProblem(id: unknown): string | null {
  if (typeof id === 'string' && /^[0-9]{1,20}$/.test(id)) return null;
  return 'a client id must be a decimal number, as a string or a number';
}

function noSuchConnection(kind: 'send_failed' | 'call_failed', id: unknown): MeshError {
  return new MeshError(kind, `no connection has the client id ${id}`);
}

function callError(outcome: CallOutcome, kind: 'send_failed' | 'call_failed'): MeshError | null {
  if (outcome.ok) return null;
  return outcome.reason === 'invalid' ? invalid(outcome.text) : new MeshError(kind, outcome.text);
}

/** What is wrong with conn.call's function name or its arguments. */
function callProblem(name: unknown, args: unknown): string | null {
  if (!CALLS.includes(name as CallName)) return `f must be one of ${CALLS.join(', ')}, not ${excerpt(name)}`;
  if (args !== undefined && args !== null && !Array.isArray(args)) return 'a must be a list of arguments';
  const list: readonly unknown[] = args ?? [];
  switch (name as CallName) {
    case 'set_context_value':
      if (list.length !== 2 || typeof list[0] !== 'string') return 'set_context_value takes a key (string) and a value';
      return contextProblem(list[1]);
    case 'set_context':
      if (list.length !== 1 || !isObject(list[0])) return 'set_context takes one object';
      return contextProblem(list[0]);
    case 'subscribe':
      return listProblem(CHANNELS, list);
    case 'unsubscribe':
      return list.length === 0 ? null : listProblem(CHANNELS, list);
    case 'psubscribe':
      return listProblem(PATTERNS, list);
    case 'punsubscribe':
      return list.length === 0 ? null : listProblem(PATTERNS, list);
    case 'close':
      return closeProblem(list);
  }
}

function closeProblem(list: readonly unknown[]): string | null {
  const [code, reason] = list;
  if (list.length > 2) return 'close takes a code and a reason, both optional';
  if (code !== undefined && code !== null) {
    const allowed = code === 1000 || (Number.isInteger(code) && (code as number) >= 3000 && (code as number) <= 4999);
    if (!allowed && !isServerCloseCode(code)) return 'a close code is 1000, 1001, 1003, 1008 to 1013, or 3000 to 4999';
  }
  if (reason === undefined || reason === null) return null;
  if (typeof reason !== 'string' || Buffer.byteLength(reason) > 123)
    return 'a close reason is text of at most 123 bytes';
  return null;
}

const isServerCloseCode = (code: unknown): boolean =>
  code === 1001 || code === 1003 || (Number.isInteger(code) && (code as number) >= 1008 && (code as number) <= 1013);

/** An empty list counts: PHP writes an empty object so. */
const isObject = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && (!Array.isArray(value) || value.length === 0);

/** What is wrong with a value for a context. Walks level by level instead of recursing: the nesting comes from outside. */
function contextProblem(value: unknown): string | null {
  let level: unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MAX_DEPTH) return `arguments may be nested ${MAX_DEPTH} deep`;
    const next: unknown[] = [];
    for (const item of level) {
      if (typeof item === 'number' && losesDigits(item))
        return 'an integer beyond 2^53 would lose digits: send it as a string';
      if (typeof item === 'object' && item !== null) for (const inner of Object.values(item)) next.push(inner);
    }
    level = next;
  }
  return null;
}

/** A 64-bit integer, such as a user's id, that JSON.parse has rounded: the script would go on with somebody else's. */
const losesDigits = (value: number): boolean =>
  Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) <= 2 ** 64;
