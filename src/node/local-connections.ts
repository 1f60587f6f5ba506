/** The connections of this node as other nodes and the API reach them: send to one, or call something on one. */
import type { CallName } from '../api/roles.js';
import type { Mesh } from '../core/mesh.js';
import type { Meter } from '../core/ports.js';
import type { LocalConnections, ReachOutcome } from '../core/reach.js';
import { CHANNELS, PATTERNS, type Subscribable } from '../core/subscribable.js';
import type { Connection, SendOutcome } from '../gateway/roles.js';

/** The part of a script that the API can reach: a connection's context. */
export interface ContextKeeper {
  setContextValue(connection: Connection, key: string, value: unknown): void;
  setContext(connection: Connection, value: Readonly<Record<string, unknown>>): void;
}

const WHY_NOT: Readonly<Record<Exclude<SendOutcome, 'sent'>, string>> = {
  dropped: 'it is over its outbound bound and the message was dropped',
  slow_consumer: 'it is over its outbound bound and is being closed',
  closed: 'it is being closed',
  refused: 'protocol_encode of its script failed',
};

const OK: ReachOutcome = { ok: true };

export interface LocalParts {
  readonly mesh: Pick<Mesh, 'subscribe' | 'unsubscribe' | 'unsubscribeAll' | 'channelsOf'>;
  readonly meter: Meter;
  connection(clientId: string): Connection | undefined;
  scriptOf(connection: Connection): ContextKeeper;
  /** Channels and patterns the connection may be subscribed to. */
  maxSubscriptions(connection: Connection): number;
}

export function createLocalConnections(parts: LocalParts): LocalConnections {
  return {
    send(clientId, payload, binary) {
      const found = parts.connection(clientId);
      if (!found) return null;
      const outcome = found.deliver(payload, binary);
      return outcome === 'sent'
        ? OK
        : { ok: false, reason: 'refused', text: `connection ${clientId}: ${WHY_NOT[outcome]}` };
    },
    call(clientId, name, args, done) {
      const found = parts.connection(clientId);
      if (!found) return false;
      CALLS[name as CallName](found, args, parts, done);
      return true;
    },
  };
}

type Call = (
  connection: Connection,
  args: readonly unknown[],
  parts: LocalParts,
  done: (outcome: ReachOutcome) => void,
) => void;

function subscribe(what: Subscribable): Call {
  return (connection, texts, { mesh, meter, maxSubscriptions }, done) => {
    const problem = texts.map(what.problem).find((text) => text !== null);
    if (problem) return done({ ok: false, reason: 'invalid', text: problem });
    let open = texts.length;
    let failed: string | null = null;
    if (open === 0) return done({ ok: false, reason: 'invalid', text: `no ${what.kind} was named` });
    const most = maxSubscriptions(connection);
    if (mesh.channelsOf(connection).length + open > most) {
      meter.count('drops_total', 1, 'too_many_subscriptions');
      return done({ ok: false, reason: 'refused', text: `at most ${most} channels and patterns on one connection` });
    }
    for (const text of texts as readonly string[]) {
      mesh.subscribe(connection, what.name(text), (outcome) => {
        if (!outcome.ok) failed ??= `${text}: ${outcome.reason}`;
        open -= 1;
        if (open === 0) done(failed === null ? OK : { ok: false, reason: 'refused', text: failed });
      });
    }
  };
}

function unsubscribe({ kind, name }: Subscribable): Call {
  return (connection, texts, { mesh }, done) => {
    if (texts.length === 0) mesh.unsubscribeAll(connection, kind);
    for (const text of texts) mesh.unsubscribe(connection, name(String(text)));
    done(OK);
  };
}

/** What `conn.call` can do; the API has checked names and types before (api/operations.ts). */
const CALLS: Readonly<Record<CallName, Call>> = {
  set_context_value(connection, [key, value], { scriptOf }, done) {
    scriptOf(connection).setContextValue(connection, String(key), value);
    done(OK);
  },
  set_context(connection, [value], { scriptOf }, done) {
    scriptOf(connection).setContext(connection, value as Readonly<Record<string, unknown>>);
    done(OK);
  },
  subscribe: subscribe(CHANNELS),
  unsubscribe: unsubscribe(CHANNELS),
  psubscribe: subscribe(PATTERNS),
  punsubscribe: unsubscribe(PATTERNS),
  close(connection, [code, reason], _parts, done) {
    connection.close(typeof code === 'number' ? code : undefined, typeof reason === 'string' ? reason : undefined);
    done(OK);
  },
};
