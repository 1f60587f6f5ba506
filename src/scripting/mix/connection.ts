/** The methods of `conn`, and `mix.connection`, `mix.websocket`, `mix.socket.tcp` that give one. Run once per VM: objects survive a reload. */
import { isUtf8 } from 'node:buffer';
import type { ConnectionState, Connections } from '../connection-state.js';
import type { ScriptHost } from '../roles.js';
import { ScriptError, type Stack } from '../stack.js';
import type { HostFunction, MakeModule, ModuleHost } from './module.js';
import { subscriptionMethods } from './subscription.js';

/** Why a send did not happen, for scripts. */
export const SEND_PROBLEMS = {
  dropped: 'dropped: the client is over its outbound bound',
  slow_consumer: 'slow consumer: the client is over its outbound bound and is being closed',
  closed: 'connection closed',
  refused: 'protocol_encode failed',
} as const;

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
  module: ModuleHost,
  connections: Connections,
  host: ScriptHost,
): Record<string, HostFunction> {
  const { stack } = module;
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
      if (connection === undefined) return stack.pushTextOrNil(L, SEND_PROBLEMS.closed);
      if (!binary && connection.protocol === 'websocket' && !isText(payload)) return stack.pushTextOrNil(L, NOT_UTF8);
      const outcome = connection.send(payload, binary);
      return stack.pushTextOrNil(L, outcome === 'sent' ? null : SEND_PROBLEMS[outcome]);
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
    ...subscriptionMethods(module, connections, host),
    clear_buffer(L) {
      connections.at(L)?.framing?.clear();
      return 0;
    },
  };
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
