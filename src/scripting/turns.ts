/**
 * Whose turn it is: callbacks of one connection never overlap and keep the order of arrival. While one waits, what comes next
 * queues; past the bound reading from that client pauses, and past twice the bound the client is closed.
 */
import type { ConnectionState, Pending } from './connection-state.js';
import type { ScriptHost } from './roles.js';
import type { Scheduler } from './scheduler.js';

export interface TurnLimits {
  readonly pendingMessages: number;
  readonly pendingBytes: number;
}

export class Turns {
  constructor(
    private readonly scheduler: Scheduler<ConnectionState>,
    private readonly limits: TurnLimits,
    private readonly host: ScriptHost,
    /** Starts the callback of one pending thing; it sets `busy` unless the callback has ended already. */
    private readonly run: (state: ConnectionState, pending: Pending) => void,
  ) {}

  /** Whether a callback of this connection may start at once. */
  free(state: ConnectionState): boolean {
    return !state.busy && !state.draining && state.queue === null && this.scheduler.running === null;
  }

  /** Queues what may not start at once. */
  add(state: ConnectionState, pending: Pending): void {
    state.queue ??= [];
    state.queue.push(pending);
    if (pending.kind === 'message') state.queuedBytes += pending.payload.length;
    if (pending.kind !== 'closed') this.bound(state);
    if (!state.busy) this.scheduler.later(() => this.next(state));
  }

  /** The same for bytes of a TCP client, which lie in its `framing`: one entry stands for all of them. */
  addBytes(state: ConnectionState): void {
    if (state.queue?.[state.queue.length - 1]?.kind !== 'bytes') this.add(state, { kind: 'bytes' });
    else this.bound(state);
  }

  /** A callback of this connection has ended. */
  ended(state: ConnectionState): void {
    state.busy = false;
    if (state.queue !== null || state.paused) this.next(state);
  }

  /** Runs what is queued until a callback waits. */
  next(state: ConnectionState): void {
    if (state.draining) return;
    state.draining = true;
    while (!state.busy && state.queue !== null) {
      const pending = state.queue.shift();
      if (pending === undefined) state.queue = null;
      else {
        if (pending.kind === 'message') state.queuedBytes -= pending.payload.length;
        this.run(state, pending);
      }
    }
    state.draining = false;
    if (state.paused && state.queue === null) {
      state.paused = false;
      if (!state.closed) state.connection.resume();
    }
  }

  private bound(state: ConnectionState): void {
    const { pendingMessages, pendingBytes } = this.limits;
    const messages = state.queue?.length ?? 0;
    const bytes = state.queuedBytes + (state.framing?.length ?? 0);
    if (messages < pendingMessages && bytes < pendingBytes) return;
    if (!state.paused) {
      state.paused = true;
      this.host.meter.count('lua_pauses_total');
      state.connection.pause();
    } else if (messages >= 2 * pendingMessages + 16 || bytes >= 2 * pendingBytes) {
      if (state.connection.isOpen) {
        this.host.meter.count('drops_total', 1, 'pending_messages');
        state.refuse(1013, 'too many messages while a callback waits');
      }
    }
  }
}
