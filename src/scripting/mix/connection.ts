/** The methods of `conn`, and `mix.connection`, `mix.websocket`, `mix.socket.tcp` that give one. Run once per VM: objects survive a reload. */
import { isUtf8 } from 'node:buffer';
import { channelProblem } from '../../core/channel.js';
import type { SubscribeOutcome } from '../../core/message.js';
import { patternName, patternProblem } from '../../core/pattern.js';
import type { ConnectionState, Connections } from '../connection-state.js';
import type { ScriptHost } from '../roles.js';
import { ScriptError, type Stack } from '../stack.js';
import type { HostFunction, MakeModule, ModuleHost } from './module.js';

/** Why a send did not happen, for scripts. */
export const SEND_PROBLEMS = {
  dropped: 'dropped: the client is over its outbound bound',
  slow_consumer: 'slow consumer: the client is over its outbound bound and is being closed',
  closed: 'connection closed',
  refused: 'protocol_encode failed',
} as const;

const SUBSCRIBE_PROBLEMS: Readonly<Record<Extract<SubscribeOutcome, { ok: false }>['reason'], string>> = {
  timeout: 'timeout: the mesh did not acknowledge the subscription in time',
  not_ready: 'this node has not joined the mesh yet',
  limit: 'too many subscriptions on this connection (maxSubscriptions)',
  node_limit: 'too many channels or patterns on this node (cluster.maxPatterns)',
  closed: 'connection closed',
};

const NORMAL_CLOSE = 1000;

const LETTER_T = 116;
const LETTER_B = 98;

/** The type argument at `at`: true for "binary", false for "text" or nothing. */
export function isBinary(stack: Stack, L: number, at: number): boolean {
  const pointer = stack.toLString(L, at);
  if (pointer === 0) {
    if (stack.isNil(L, at)) return false;
  } else {
    const first = stack.heap()[pointer];
    const length = stack.lastLength();
    if (length === 4 && first === LETTER_T) return false;
    if (length === 6 && first === LETTER_B) return true;
  }
  const type = stack.describe(L, at);
  throw new ScriptError(`bad argument #${at} (type must be "text" or "binary", not "${type.slice(0, 20)}")`);
}

/** Short texts are looked at by a loop: faster than a call into Node for them. */
const SHORT = 128;

export function isText(bytes: Uint8Array): boolean {
  if (bytes.length > SHORT) return isUtf8(bytes);
  for (let i = 0; i < bytes.length; i++) if (bytes[i] > 127) return isUtf8(bytes);
  return true;
}

export const NOT_UTF8 = 'data is not valid UTF-8: send it as "binary"';

/** Methods that reach the host, by name; those over the context are in CONTEXT_LUA. */
export function connectionMethods(
  { stack, wait }: ModuleHost,
  connections: Connections,
  host: ScriptHost,
): Record<string, HostFunction> {
  const problem = (L: number, text: string | null): number => {
    if (text === null) stack.pushNil(L);
    else stack.pushText(L, text);
    return 1;
  };
  const subscribe =
    (what: Subscribable): HostFunction =>
    (L) => {
      const connection = connections.at(L)?.connection;
      const names = namesAt(stack, L, what);
      if (typeof names === 'string') return problem(L, names);
      if (connection === undefined || !connection.isOpen) return problem(L, SEND_PROBLEMS.closed);
      return wait(L, (resume) => {
        let left = names.length;
        let failed: string | null = null;
        const one = (outcome: SubscribeOutcome): void => {
          if (!outcome.ok) failed ??= SUBSCRIBE_PROBLEMS[outcome.reason];
          if (--left === 0) resume((L) => problem(L, failed));
        };
        for (const name of names) host.subscribe(connection, name, one);
      });
    };
  const unsubscribe =
    (what: Subscribable): HostFunction =>
    (L) => {
      const connection = connections.at(L)?.connection;
      if (stack.getTop(L) === 1) {
        if (connection !== undefined) host.unsubscribeAll(connection, what.kind);
        return problem(L, null);
      }
      const names = namesAt(stack, L, what);
      if (typeof names === 'string') return problem(L, names);
      if (connection !== undefined) for (const name of names) host.unsubscribe(connection, name);
      return problem(L, null);
    };
  return {
    client_id(L) {
      connections.pushId(L);
      return 1;
    },
    remote_addr(L) {
      connections.pushAddress(L);
      return 1;
    },
    send(L) {
      const connection = connections.at(L)?.connection;
      const binary = isBinary(stack, L, 3);
      const payload = stack.checkView(L, 2);
      if (connection === undefined) return problem(L, SEND_PROBLEMS.closed);
      if (!binary && connection.protocol === 'websocket' && !isText(payload)) return problem(L, NOT_UTF8);
      const outcome = connection.send(payload, binary);
      return problem(L, outcome === 'sent' ? null : SEND_PROBLEMS[outcome]);
    },
    close(L) {
      const connection = connections.at(L)?.connection;
      const code = stack.optNumber(L, 2) ?? NORMAL_CLOSE;
      const reason = stack.optText(L, 3) ?? '';
      if (!(code === NORMAL_CLOSE || (Number.isInteger(code) && code >= 1001 && code <= 4999))) {
        throw new ScriptError(`bad argument #1 to 'close' (code must be 1000 to 4999, not ${code})`);
      }
      connection?.close(code, reason);
      return 0;
    },
    subscribe: subscribe(CHANNELS),
    unsubscribe: unsubscribe(CHANNELS),
    psubscribe: subscribe(PATTERNS),
    punsubscribe: unsubscribe(PATTERNS),
    clear_buffer(L) {
      connections.at(L)?.framing?.clear();
      return 0;
    },
  };
}

/** What a connection subscribes to: channels, or patterns of them. */
interface Subscribable {
  readonly kind: 'channel' | 'pattern';
  problem(text: string): string | null;
  /** What the host calls it. */
  name(text: string): string;
}
const CHANNELS: Subscribable = { kind: 'channel', problem: channelProblem, name: (channel) => channel };
const PATTERNS: Subscribable = { kind: 'pattern', problem: patternProblem, name: patternName };

/** The names of those from argument 2 on, or what is wrong with one. */
function namesAt(stack: Stack, L: number, { kind, problem, name }: Subscribable): string[] | string {
  const names: string[] = [];
  const top = stack.getTop(L);
  for (let at = 2; at <= top; at++) {
    if (!isUtf8(stack.checkBytes(L, at))) return `${kind} #${at - 1} is not valid UTF-8`;
    const text = stack.checkText(L, at);
    const wrong = problem(text);
    if (wrong !== null) return wrong;
    names.push(name(text));
  }
  return names.length === 0 ? `no ${kind} was named` : names;
}

/** `mix.websocket` or `mix.socket.tcp`, whichever the server is, and `mix.connection`. */
export function connectionLookups(
  protocol: 'websocket' | 'socket',
  current: () => ConnectionState | null,
  connections: Connections,
  host: ScriptHost,
): MakeModule {
  return ({ stack }) => {
    const mine =
      (asked: 'websocket' | 'socket'): HostFunction =>
      (L) => {
        const state = current();
        if (protocol !== asked) return stack.pushFailure(L, `this is a ${protocol} server`);
        if (state === null) return stack.pushFailure(L, 'this callback belongs to no connection');
        connections.push(L, state);
        return 1;
      };
    return {
      functions: {
        'mix.websocket': mine('websocket'),
        'mix.socket.tcp': mine('socket'),
        'mix.connection'(L) {
          const id = stack.checkText(L, 1);
          const found = host.connection(id)?.script as ConnectionState | undefined;
          if (found === undefined || found === null)
            return stack.pushFailure(L, `no connection ${id.slice(0, 32)} on this node`);
          if (!connections.has(found))
            return stack.pushFailure(L, `connection ${id} belongs to another server of this node`);
          connections.push(L, found);
          return 1;
        },
      },
    };
  };
}
