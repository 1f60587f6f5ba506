/**
 * What happens to a connection as callbacks of its script: pushes the arguments, starts the coroutine, looks at the outcome. An error
 * is logged with its traceback, counted, and closes nothing; except in on_handshake, which has to say yes.
 */
import type { ConnectionState, Connections, Pending } from './connection-state.js';
import type { EntryName } from './dispatch.js';
import { Framing } from './framing.js';
import type { ScriptOptions } from './options.js';
import type { Reloader } from './reload.js';
import type { ScriptConnection, ScriptHost } from './roles.js';
import type { Outcome, Scheduler, Thread } from './scheduler.js';
import { tookNothing } from './socket.js';
import { LUA_TYPE, REGISTRY } from './stack.js';
import { Turns } from './turns.js';
import { pushJson } from './values.js';
import type { Vm } from './vm.js';

/** Errors logged per second; more are counted only, with one line that says so. */
const LOGGED_ERRORS = 100;
const MIN_PENDING_BYTES = 1024 * 1024;

/** What is left of a callback when it has ended, or could not begin; results are on L when there is no error. */
type Ended = Pick<Thread<ConnectionState>, 'owner' | 'name' | 'L'>;

export interface CallbackParts {
  readonly vm: Vm;
  readonly scheduler: Scheduler<ConnectionState>;
  readonly connections: Connections;
  readonly host: ScriptHost;
  readonly options: ScriptOptions;
  readonly reloader: Reloader;
}

export type Verdict =
  | { readonly accept: true }
  | { readonly accept: false; readonly status: number; readonly body: string };

export interface Upgrade {
  readonly method: string;
  readonly requestUri: string;
  readonly serverProtocol: string;
  readonly host: string;
  readonly remoteAddress: string;
  readonly headers: readonly (readonly [string, string])[];
}

export class Callbacks {
  private readonly turns: Turns;
  private errorSecond = 0;
  private errorsThisSecond = 0;

  constructor(private readonly parts: CallbackParts) {
    const { pendingMessages, maxPayloadBytes } = parts.options;
    const pendingBytes = Math.max(MIN_PENDING_BYTES, 4 * maxPayloadBytes);
    this.turns = new Turns(parts.scheduler, { pendingMessages, pendingBytes }, parts.host, (state, pending) =>
      this.runPending(state, pending),
    );
  }

  // ── websocket servers ──

  handshake(connection: ScriptConnection, request: Upgrade, done: (verdict: Verdict) => void): void {
    const { connections, reloader, scheduler } = this.parts;
    const state = connections.add(connection);
    if (!reloader.running.defines('on_handshake')) return done({ accept: true });
    state.busy = true;
    scheduler.later(() => {
      const ended = (thread: Ended, outcome: Outcome): void => {
        this.report(thread, outcome);
        const verdict = outcome.error === null ? this.verdict(thread.L, outcome.results) : REFUSED_BY_ERROR;
        done(verdict);
        this.turns.ended(state);
        if (!verdict.accept) this.forgetUnopened(state);
        // The client went away while the script made up its mind: nobody will tell of its end.
        else if (!connection.isOpen) setImmediate(() => connection.isOpen || this.forgetUnopened(state));
      };
      this.start(state, 'handshake', ended, (L) => {
        const { stack } = this.parts.vm;
        stack.pushText(L, connection.id);
        this.pushHeaders(L, request.headers);
        this.pushRecord(L, {
          Method: request.method,
          RequestUri: request.requestUri,
          ServerProtocol: request.serverProtocol,
          Host: request.host,
          RemoteAddr: request.remoteAddress,
        });
        return 3;
      });
    });
  }

  message(connection: ScriptConnection, data: Uint8Array, binary: boolean): void {
    const state = connection.script as ConnectionState;
    if (this.turns.free(state)) this.runMessage(state, data, binary);
    else this.turns.add(state, { kind: 'message', payload: Buffer.from(data), binary });
  }

  // ── socket servers ──

  connected(connection: ScriptConnection): void {
    const { connections, options, scheduler } = this.parts;
    const state = connections.add(connection);
    state.framing = new Framing(options.maxPayloadBytes);
    state.busy = true;
    scheduler.later(() =>
      this.start(state, 'connected', this.ended, (L) => {
        this.parts.vm.stack.pushText(L, connection.id);
        return 1;
      }),
    );
  }

  received(connection: ScriptConnection, chunk: Uint8Array): void {
    const state = connection.script as ConnectionState;
    state.framing?.append(chunk);
    if (this.turns.free(state)) this.runFrames(state);
    else this.turns.addBytes(state);
  }

  /** Runs inside of whatever callback publishes; may not wait. */
  encode(connection: ScriptConnection, data: Uint8Array): Uint8Array | null {
    const state = connection.script as ConnectionState;
    let framed: Buffer | null = null;
    const ended = (thread: Ended, outcome: Outcome): void => {
      this.report(thread, outcome);
      if (outcome.results < 1) return;
      const { stack } = this.parts.vm;
      const at = -outcome.results;
      if (stack.type(thread.L, at) === LUA_TYPE.string)
        framed = stack.copyBytes(thread.L, stack.getTop(thread.L) + at + 1);
    };
    this.start(
      state,
      'encode',
      ended,
      (L) => {
        this.parts.vm.stack.pushBytes(L, data);
        return 1;
      },
      false,
    );
    return framed !== null && (framed as Buffer).length > 0 ? framed : null;
  }

  // ── both ──

  closed(connection: ScriptConnection, error: string | null): void {
    const state = connection.script as ConnectionState | null;
    if (state === null || state.closed) return;
    state.closed = true;
    state.wakeAll();
    this.turns.add(state, { kind: 'closed', error: error ?? state.refusal });
  }

  gap(channel: string | null): void {
    const { reloader, scheduler, vm } = this.parts;
    scheduler.later(() => {
      if (!reloader.running.defines('on_gap')) return;
      this.start(null, 'gap', this.ended, (L) => vm.stack.pushTextOrNil(L, channel));
    });
  }

  /** Calls one of CONTEXT_LUA's functions for a connection; it does not wait for the connection's turn. */
  context(connection: ScriptConnection, ref: number, key: string | null, value: unknown): void {
    const { vm, scheduler, connections } = this.parts;
    const state = connection.script as ConnectionState;
    scheduler.later(() => {
      const name = 'set_context';
      const thread = scheduler.take(state, name, (thread, outcome) => this.report(thread, outcome));
      if (thread === null) return this.report({ owner: state, name }, NO_MEMORY);
      let args = 2;
      const pushed = vm.attempt(() => {
        vm.stack.pushKept(thread.L, ref);
        connections.push(thread.L, state);
        if (key !== null) {
          vm.stack.pushText(thread.L, key);
          args = 3;
        }
        pushJson(vm.stack, thread.L, value);
      });
      if (pushed) return scheduler.start(thread, args);
      scheduler.discard(thread);
      this.report({ owner: state, name }, NO_MEMORY);
    });
  }

  /** Runs the function of a timer. */
  timer(ref: number): void {
    const { vm, scheduler } = this.parts;
    scheduler.later(() => {
      const thread = scheduler.take(null, 'timer', (thread, outcome) => this.report(thread, outcome));
      if (thread === null) return this.report({ owner: null, name: 'timer' }, NO_MEMORY);
      vm.stack.pushKept(thread.L, ref);
      scheduler.start(thread, 0);
    });
  }

  // ── starting and ending ──

  private runPending(state: ConnectionState, pending: Pending): void {
    if (pending.kind === 'message') this.runMessage(state, pending.payload, pending.binary);
    else if (pending.kind === 'bytes') this.runFrames(state);
    else {
      state.busy = true;
      const ended = (thread: Ended, outcome: Outcome): void => {
        this.report(thread, outcome);
        this.turns.ended(state);
        this.forget(state);
      };
      this.start(state, 'closed', ended, (L) => {
        const { stack } = this.parts.vm;
        stack.pushText(L, state.connection.id);
        stack.pushTextOrNil(L, pending.error);
        return 2;
      });
    }
  }

  /** The hot path: no closure, no object for a message whose turn it is. */
  private runMessage(state: ConnectionState, data: Uint8Array, binary: boolean): void {
    const { vm, scheduler, reloader } = this.parts;
    const thread = scheduler.take(state, 'on_message', this.ended);
    if (thread === null) return this.ended({ owner: state, name: 'on_message', L: 0 }, NO_MEMORY);
    state.busy = true;
    const { stack } = vm;
    const sp = stack.lua.stackSave();
    try {
      stack.lua.lua_rawgeti(thread.L, REGISTRY, reloader.running.entries.message);
      stack.pushBytes(thread.L, data);
      stack.lua.lua_pushboolean(thread.L, binary ? 1 : 0);
    } catch (thrown) {
      vm.recover(sp, thrown);
      scheduler.discard(thread);
      return this.ended({ owner: state, name: 'on_message', L: 0 }, NO_MEMORY);
    }
    scheduler.start(thread, 2);
  }

  private runFrames(state: ConnectionState): void {
    state.busy = true;
    state.inInput = false;
    this.start(state, 'frame', this.framed, (L) => {
      this.parts.connections.pushBuffer(L, state);
      return 1;
    });
  }

  private start(
    state: ConnectionState | null,
    entry: EntryName,
    ended: (thread: Ended, outcome: Outcome) => void,
    push: (L: number) => number,
    mayWait = true,
  ): void {
    const { vm, scheduler, reloader } = this.parts;
    const thread = scheduler.take(state, NAMES[entry], ended);
    const none: Ended = { owner: state, name: NAMES[entry], L: 0 };
    if (thread === null) return ended(none, NO_MEMORY);
    thread.mayWait = mayWait;
    let args = 0;
    const pushed = vm.attempt(() => {
      vm.stack.lua.lua_rawgeti(thread.L, REGISTRY, reloader.running.entries[entry]);
      args = push(thread.L);
    });
    if (pushed) return scheduler.start(thread, args);
    scheduler.discard(thread);
    ended(none, NO_MEMORY);
  }

  private readonly ended = (thread: Ended, outcome: Outcome): void => {
    if (outcome.error !== null) this.report(thread, outcome);
    if (thread.owner !== null) this.turns.ended(thread.owner);
  };

  /** A round of packets has ended: with an error of one packet the next ones go on, with one of protocol_input it waits for more. */
  private readonly framed = (thread: Ended, outcome: Outcome): void => {
    const state = thread.owner as ConnectionState;
    this.report(thread, outcome);
    if (outcome.error !== null) {
      if (state.inInput) tookNothing(state, this.parts.host);
      else if (state.framing !== null && state.framing.length > 0) this.turns.addBytes(state);
    }
    this.turns.ended(state);
  };

  private forgetUnopened(state: ConnectionState): void {
    if (!state.closed) this.forget(state);
  }

  /** After its last callback. */
  private forget(state: ConnectionState): void {
    this.parts.connections.drop(state);
  }

  private verdict(L: number, results: number): Verdict {
    const { stack } = this.parts.vm;
    const first = stack.getTop(L) - results + 1;
    if (results === 0 || stack.type(L, first) !== LUA_TYPE.boolean || stack.toBoolean(L, first) === 1)
      return { accept: true };
    const status = results > 1 && stack.type(L, first + 1) === LUA_TYPE.number ? stack.toNumber(L, first + 1) : 403;
    const body = results > 2 && stack.type(L, first + 2) === LUA_TYPE.string ? stack.checkText(L, first + 2) : '';
    return { accept: false, status: Number.isInteger(status) && status >= 400 && status <= 599 ? status : 403, body };
  }

  /** Lower-case names; values of one name joined by ", ". */
  private pushHeaders(L: number, headers: Upgrade['headers']): void {
    const joined = new Map<string, string>();
    for (const [name, value] of headers) {
      const before = joined.get(name);
      joined.set(name, before === undefined ? value : `${before}, ${value}`);
    }
    this.pushRecord(L, Object.fromEntries(joined));
  }

  private pushRecord(L: number, record: Readonly<Record<string, string>>): void {
    const { stack } = this.parts.vm;
    stack.createTable(L, 0, 8);
    for (const [name, value] of Object.entries(record)) {
      stack.pushText(L, value);
      stack.setField(L, name);
    }
  }

  private report({ owner, name }: Pick<Ended, 'owner' | 'name'>, outcome: Outcome): void {
    if (outcome.error === null) return;
    const { host } = this.parts;
    host.meter.count('lua_errors_total', 1, name);
    const second = Math.floor(performance.now() / 1000);
    if (second !== this.errorSecond) {
      if (this.errorsThisSecond > LOGGED_ERRORS) {
        host.log.error('more Lua errors than are logged', { notLogged: this.errorsThisSecond - LOGGED_ERRORS });
      }
      this.errorSecond = second;
      this.errorsThisSecond = 0;
    }
    if (++this.errorsThisSecond > LOGGED_ERRORS) return;
    host.log.error('error in a script', { callback: name, client: owner?.connection.id, error: outcome.error });
  }
}

/** What callbacks are called in logs and counts. */
const NAMES: Readonly<Record<EntryName, string>> = {
  message: 'on_message',
  handshake: 'on_handshake',
  connected: 'on_connect',
  closed: 'on_close',
  gap: 'on_gap',
  frame: 'on_message',
  encode: 'protocol_encode',
};
const NO_MEMORY: Outcome = { results: 0, error: 'not enough memory (lua.memoryLimitMb) to begin the callback' };
const REFUSED_BY_ERROR: Verdict = { accept: false, status: 500, body: 'on_handshake failed' };
