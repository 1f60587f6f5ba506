/** What `protocol_input` sees of a TCP client's bytes (`buf`), and how its answer takes a packet off them. */
import type { ConnectionState, Connections } from './connection-state.js';
import { TOO_LARGE } from './framing.js';
import type { HostFunction } from './mix/module.js';
import type { ScriptHost } from './roles.js';
import { LUA_TYPE, ScriptError, type Stack } from './stack.js';

/** The host functions of DISPATCH_LUA. `buf` is the connection's buffer object; its methods are in bufferMethods. */
export function framingFunctions(
  stack: Stack,
  connections: Connections,
  host: ScriptHost,
): Record<string, HostFunction> {
  return {
    /** Whether protocol_input has something to look at. */
    begin(L) {
      const state = connections.bufferAt(L);
      const ready = state !== undefined && !state.closed && state.connection.isOpen && state.framing?.begin() === true;
      stack.pushBoolean(L, ready ? 1 : 0);
      if (ready) state.inInput = true;
      return 1;
    },
    /** (buf, what protocol_input returned): the packet, or nil. */
    take(L) {
      const state = connections.bufferAt(L);
      if (state === undefined || state.framing === null) return 0;
      const size = stack.toNumber(L, 2);
      if (stack.type(L, 2) !== LUA_TYPE.number || !Number.isInteger(size)) {
        throw new ScriptError(
          `protocol_input must return an integer, not ${stack.typeName(L, stack.type(L, 2))} ${stack.describe(L, 2)}`,
        );
      }
      state.inInput = false;
      const taken = state.framing.take(size);
      if (taken.is === 'packet') {
        stack.pushBytes(L, taken.packet);
        return 1;
      }
      if (taken.is === 'close') refuse(state, host, taken.why);
      return 0;
    },
  };
}

/** protocol_input failed: as if it had asked for more bytes. */
export function tookNothing(state: ConnectionState, host: ScriptHost): void {
  const taken = state.framing?.take(0);
  if (taken?.is === 'close') refuse(state, host, taken.why);
}

function refuse(state: ConnectionState, host: ScriptHost, why: string): void {
  state.framing?.clear();
  if (!state.connection.isOpen) return;
  if (why === TOO_LARGE) host.meter.count('drops_total', 1, 'packet_too_large');
  state.refuse(why === TOO_LARGE ? 1009 : 1002, why);
}

/** `buf:tostring()`, `buf:read(n)`, `buf:position()`, `buf:length()`. */
export function bufferMethods(stack: Stack, connections: Connections): Record<string, HostFunction> {
  const framing = (L: number) => connections.bufferAt(L)?.framing ?? null;
  return {
    tostring(L) {
      stack.pushBytes(L, framing(L)?.all() ?? new Uint8Array(0));
      return 1;
    },
    read(L) {
      const count = Number(stack.checkInteger(L, 2));
      const buffer = framing(L);
      const bytes = buffer?.read(count) ?? null;
      if (bytes === null) {
        const left = buffer === null ? 0 : buffer.length - buffer.position;
        return stack.pushFailure(L, `cannot read ${count} bytes: ${left} are there`);
      }
      stack.pushBytes(L, bytes);
      return 1;
    },
    position(L) {
      stack.pushCount(L, framing(L)?.position ?? 0);
      return 1;
    },
    length(L) {
      stack.pushCount(L, framing(L)?.length ?? 0);
      return 1;
    },
  };
}
