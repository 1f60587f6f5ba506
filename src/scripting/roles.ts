/** What a script may do to the world outside its VM. node.ts provides it; tests have a fake in test/scripting/fake-host.ts. */
import type { PublishResult, SubscribeOutcome } from '../core/message.js';
import type { Log, Meter } from '../core/ports.js';

/** A client's connection as scripts use it: the part of gateway/roles.ts `Connection` that a script needs. */
export interface ScriptConnection {
  readonly id: string;
  readonly protocol: 'websocket' | 'socket';
  readonly remoteAddress: string;
  readonly isOpen: boolean;
  /** The script's own notes; kept by scripting, for nobody else. */
  script: unknown;
  send(data: Uint8Array, binary: boolean): 'sent' | 'dropped' | 'slow_consumer' | 'closed' | 'refused';
  close(code?: number, reason?: string): void;
  pause(): void;
  resume(): void;
}

/** Names a queue push refused, in words for the script. */
export type PushOutcome =
  | { readonly ok: true; readonly length: number }
  | { readonly ok: false; readonly error: string };

export interface ScriptHost {
  readonly log: Log;
  readonly meter: Meter;
  /**
   * `done` is called once, later or at once. The channel was checked by the caller with core/channel.ts; a pattern goes by its
   * name (core/pattern.ts).
   */
  subscribe(connection: ScriptConnection, channel: string, done: (outcome: SubscribeOutcome) => void): void;
  unsubscribe(connection: ScriptConnection, channel: string): void;
  /** From everything of that kind. */
  unsubscribeAll(connection: ScriptConnection, kind: 'channel' | 'pattern'): void;
  /** `data` is the host's from here on. `done` is null where nobody waits for the counts. Returns an error text, null when accepted. */
  publish(
    channel: string,
    data: Uint8Array,
    binary: boolean,
    done: ((result: PublishResult) => void) | null,
  ): string | null;
  /** To one client of any node. `done(null)` when it was handed over, else the reason in words. */
  send(clientId: string, data: Uint8Array, binary: boolean, done: (error: string | null) => void): void;
  /** A connection of this node. */
  connection(clientId: string): ScriptConnection | undefined;
  /** Appends to this node's queue; `json` is the value as JSON text. */
  queuePush(topic: string, clientId: string, json: string): PushOutcome;
}
