/** The methods of `conn` that subscribe it to channels and to patterns of them, and end that. */
import { isUtf8 } from 'node:buffer';
import type { SubscribeOutcome } from '../../core/message.js';
import { CHANNELS, PATTERNS, type Subscribable } from '../../core/subscribable.js';
import type { Connections } from '../connection-state.js';
import type { ScriptHost } from '../roles.js';
import type { Stack } from '../stack.js';
import type { HostFunction, ModuleHost } from './module.js';

const SUBSCRIBE_PROBLEMS: Readonly<Record<Extract<SubscribeOutcome, { ok: false }>['reason'], string>> = {
  timeout: 'timeout: the mesh did not acknowledge the subscription in time',
  not_ready: 'this node has not joined the mesh yet',
  limit: 'too many subscriptions on this connection (maxSubscriptions)',
  node_limit: 'too many channels or patterns on this node (cluster.maxPatterns)',
  closed: 'connection closed',
};

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

export function subscriptionMethods(
  { stack, wait }: ModuleHost,
  connections: Connections,
  host: ScriptHost,
): Record<string, HostFunction> {
  const subscribe =
    (what: Subscribable): HostFunction =>
    (L) => {
      const connection = connections.at(L)?.connection;
      const names = namesAt(stack, L, what);
      if (typeof names === 'string') return stack.pushTextOrNil(L, names);
      if (connection === undefined || !connection.isOpen) return stack.pushTextOrNil(L, SUBSCRIBE_PROBLEMS.closed);
      return wait(L, (resume) => {
        let left = names.length;
        let failed: string | null = null;
        const one = (outcome: SubscribeOutcome): void => {
          if (!outcome.ok) failed ??= SUBSCRIBE_PROBLEMS[outcome.reason];
          if (--left === 0) resume((L) => stack.pushTextOrNil(L, failed));
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
        return stack.pushTextOrNil(L, null);
      }
      const names = namesAt(stack, L, what);
      if (typeof names === 'string') return stack.pushTextOrNil(L, names);
      if (connection !== undefined) for (const name of names) host.unsubscribe(connection, name);
      return stack.pushTextOrNil(L, null);
    };
  return {
    subscribe: subscribe(CHANNELS),
    unsubscribe: unsubscribe(CHANNELS),
    psubscribe: subscribe(PATTERNS),
    punsubscribe: unsubscribe(PATTERNS),
  };
}
