/** One connection of the WebSocket API: reads requests, writes answers and events, and gives back what it held when it closes. */
import { isUtf8 } from 'node:buffer';
import type { Message } from '../core/message.js';
import { CHANNELS, PATTERNS, type Subscribable } from '../core/subscribable.js';
import { MeshError } from '../errors.js';
import type { Caller, Role } from './access.js';
import { BackEnd } from './back-end.js';
import { type Answer, CALL_LIST, countsJson, type Request } from './calls.js';
import { countsAnswer } from './counts-answer.js';
import { tooLarge } from './exchange.js';
import {
  errorEnvelope,
  excerpt,
  mayBeRounded,
  type Params,
  parseObject,
  resultEnvelope,
  withLongIntegersAsText,
} from './json.js';
import { TokenBucket, tooFast } from './limits.js';
import { invalid } from './operations.js';
import type { Consumer } from './queue.js';
import { readQuickPublish } from './quick-publish.js';
import type { WebSocketShell } from './websocket.js';

/** What a session uses of uWebSockets.js' WebSocket. */
export interface SessionSocket {
  send(text: string | Uint8Array, isBinary: boolean): number;
  cork(fn: () => void): unknown;
  end(code: number, reason: string): void;
  getBufferedAmount(): number;
}

/** Requests of one connection that may wait for their outcome at the same time. */
const MAX_UNDER_WAY = 65_536;
const SLOW = 1013;
const NOT_ALLOWED = 1008;
const SUCCESS = '{"s":true}';
const NO_PARAMS: Params = {};

type Run = (session: Session, request: Request, answer: Answer) => void;

/** Every method of the WebSocket API: those of the list, and those that belong to one connection. */
export const METHODS = new Map<string, { readonly role: Role; readonly run: Run }>();
for (const call of CALL_LIST) {
  METHODS.set(call.method, {
    role: call.role,
    run: (session, request, answer) => call.run(session.shell.operations, request, answer),
  });
}
const reads = (method: string, run: Run) => METHODS.set(method, { role: 'read', run });
reads('queue.pop', (session, { params }, answer) => session.pop(params, answer));
reads('queue.ack', (session, { params }, answer) => session.acknowledge(params.q, answer));
reads('queue.unpop', (session, _, answer) => session.unpop(answer));
reads('mesh.subscribe', (session, { params }, answer) => session.subscribe(CHANNELS, params.c, answer));
reads('mesh.psubscribe', (session, { params }, answer) => session.subscribe(PATTERNS, params.p, answer));
reads('mesh.unsubscribe', (session, { params }, answer) => session.unsubscribe(CHANNELS, params.c, answer));
reads('mesh.punsubscribe', (session, { params }, answer) => session.unsubscribe(PATTERNS, params.p, answer));

export class Session implements Consumer {
  private socket: SessionSocket | null = null;
  private readonly bucket: TokenBucket | null;
  private readonly late: string[] = [];
  private lateBytes = 0;
  private slow = false;
  private readonly writeLate = (): void => {
    for (const text of this.late) this.socket?.send(text, false);
    this.late.length = 0;
    this.lateBytes = 0;
  };
  /** True while a message is handled: uWebSockets.js has the socket corked then, so writing at once costs nothing extra. */
  private corked = false;
  private underWay = 0;
  private backEnd: BackEnd | null = null;
  /** It has asked for events: of the queue, or of channels. */
  private receives = false;

  constructor(
    readonly shell: WebSocketShell,
    private readonly caller: Caller,
    private readonly address: string,
    private readonly flushLater: (session: Session) => void,
  ) {
    const perSecond = shell.limits.connectionRequestsPerSecond;
    this.bucket = perSecond === 0 ? null : new TokenBucket(perSecond, shell.now());
  }

  opened(socket: SessionSocket): void {
    this.socket = socket;
  }

  received(bytes: ArrayBuffer, isBinary: boolean): void {
    this.corked = true;
    try {
      const size = bytes.byteLength;
      if (size > this.shell.limits.maxBodyBytes) this.refuse(tooLarge(this.shell.limits.maxBodyBytes), null);
      else if (isBinary && !isUtf8(bytes)) this.refuse(invalid('a message must be JSON in UTF-8'), null);
      else this.handle(Buffer.from(bytes));
    } catch (error) {
      this.refuse(this.shell.gate.bug(error), null);
    } finally {
      this.corked = false;
    }
  }

  private handle(bytes: Buffer): void {
    const publish = readQuickPublish(bytes);
    if (publish === null) return this.handleText(bytes.toString());
    const { channel, data, id } = publish;
    const refused = this.refusal('write');
    if (refused !== null) return this.refuse(refused, jsonOf(id));
    this.underWay++;
    this.shell.operations.publish(channel, data, false, true, (error, result) => {
      this.underWay--;
      if (error !== null) this.refuse(error, jsonOf(id));
      else if (id !== null && this.corked && this.socket !== null && result.unconfirmed.length === 0) {
        this.socket.send(countsAnswer(result.success, result.fail, id), false);
      } else this.write(resultEnvelope(countsJson(result), jsonOf(id)));
    });
  }

  private handleText(text: string): void {
    if (text === 'ping') return this.write('pong');
    const envelope = parseObject(text);
    if (envelope === null) return this.refuse(invalid('a message must be a JSON object, or the text ping'), null);
    const id = requestId(envelope, text);
    if (id instanceof MeshError) return this.refuse(id, null);
    const { m, p } = envelope;
    const method = typeof m === 'string' ? METHODS.get(m) : undefined;
    if (method === undefined) {
      const text = m === undefined ? 'm must name a method' : `no such method: ${excerpt(m)}`;
      return this.refuse(new MeshError('no_such_method', text), id);
    }
    const params = isEmpty(p) ? NO_PARAMS : p;
    if (typeof params !== 'object' || Array.isArray(params)) return this.refuse(invalid('p must be an object'), id);
    const refused = this.refusal(method.role);
    if (refused !== null) return this.refuse(refused, id);
    this.underWay++;
    const answer: Answer = (error, json) => {
      this.underWay--;
      if (error !== null) this.refuse(error, id);
      else this.write(resultEnvelope(json, id));
    };
    try {
      method.run(this, { params: params as Params, exact: () => exactParams(text) }, answer);
    } catch (error) {
      answer(this.shell.gate.bug(error), '');
    }
  }

  private refusal(role: Role): MeshError | null {
    const { gate, limits } = this.shell;
    const refused = gate.refusal('websocket', this.caller, this.address, role);
    if (refused !== null) return refused;
    if (this.underWay >= MAX_UNDER_WAY) return new MeshError('overloaded', `${MAX_UNDER_WAY} calls wait already`, 1);
    if (this.bucket === null) return null;
    const text = `${limits.connectionRequestsPerSecond} calls per second (api.connectionRequestsPerSecond)`;
    return tooFast(this.bucket.take(this.shell.now()), text);
  }

  private refuse(error: MeshError, id: string | null): void {
    this.shell.gate.failed(error);
    this.write(errorEnvelope(error, id));
  }

  /** Writes at once where that is cheap, else with everything else of this turn. */
  private write(text: string): void {
    if (this.socket === null) return;
    if (this.corked) {
      this.socket.send(text, false);
      return;
    }
    this.lateBytes += text.length;
    if (this.late.push(text) === 1) this.flushLater(this);
  }

  /** Writes what came after its message was handled. */
  flush(): void {
    this.socket?.cork(this.writeLate);
  }

  /** Users have changed. A login that is gone ends the connection; so does a lost role where events would go on coming. */
  recheck(): void {
    const refused = this.shell.gate.access.refusal(this.caller, 'read');
    if (refused === null || (refused.kind === 'forbidden' && !this.receives)) return;
    this.shell.gate.failed(refused);
    this.end(NOT_ALLOWED, refused.message.slice(0, 100));
  }

  end(code: number, reason: string): void {
    this.flush();
    this.socket?.end(code, reason);
  }

  closed(): void {
    this.socket = null;
    this.late.length = 0;
    this.shell.queue.gone(this);
    this.backEnd?.unsubscribeAll();
  }

  drained(): void {
    this.shell.queue.drained(this);
  }

  // ── queue ──
  pop({ t, k }: Params, answer: Answer): void {
    this.receives = true;
    answer(this.shell.queue.consume(this, t, k), SUCCESS);
  }

  acknowledge(numbers: unknown, answer: Answer): void {
    answer(this.shell.queue.acknowledge(this, numbers), SUCCESS);
  }

  unpop(answer: Answer): void {
    const done = this.shell.queue.cancel(this);
    answer(done ? null : new MeshError('cancel_failed', 'this connection does not consume'), SUCCESS);
  }

  buffered(): number {
    return this.socket?.getBufferedAmount() ?? 0;
  }

  /** Consumer: called by the queue at the end of a turn. */
  writeEvents(events: readonly string[]): void {
    this.socket?.cork(() => {
      for (const event of events) this.socket?.send(event, false);
    });
  }

  // ── channels and patterns ──
  subscribe(what: Subscribable, texts: unknown, answer: Answer): void {
    this.receives = true;
    this.subscriber().subscribe(what, texts, (error) => answer(error, SUCCESS));
  }

  unsubscribe(what: Subscribable, texts: unknown, answer: Answer): void {
    answer(this.subscriber().unsubscribe(what, texts), SUCCESS);
  }

  private subscriber(): BackEnd {
    this.backEnd ??= new BackEnd(this.shell.backplane, (message, pattern) => this.take(message, pattern));
    return this.backEnd;
  }

  /** Closes the connection, but not within the delivery that found it slow. */
  private tooSlow(): void {
    this.slow = true;
    this.shell.backplane.meter.count('drops_total', 1, 'slow_back_end');
    setImmediate(() => this.end(SLOW, 'slow consumer'));
  }

  private take({ channel, data, binary }: Message, pattern: string | null): boolean {
    if (this.socket === null || this.slow) return false;
    if (this.socket.getBufferedAmount() + this.lateBytes > this.shell.limits.maxBackpressureBytes) {
      this.tooSlow();
      return false;
    }
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    const body = binary
      ? `"t":"binary","d":"${bytes.toString('base64')}"`
      : `"t":"text","d":${JSON.stringify(bytes.toString())}`;
    const by = pattern === null ? '"mesh.subscribe","p":{' : `"mesh.psubscribe","p":{"p":${JSON.stringify(pattern)},`;
    this.write(`{"e":${by}"c":${JSON.stringify(channel)},${body}}}`);
    return true;
  }
}

const jsonOf = (id: number | null): string | null => (id === null ? null : `${id}`);

/** No parameters; PHP writes an empty object as an empty list. */
const isEmpty = (p: unknown): boolean => p === undefined || p === null || (Array.isArray(p) && p.length === 0);

/** The request's id (`i`, or `id`) as JSON text to echo; null when it has none. */
function requestId(envelope: Params, text: string): string | null | MeshError {
  const id = envelope.i ?? envelope.id;
  if (id === undefined || id === null) return null;
  if (typeof id === 'string') return JSON.stringify(id);
  if (typeof id !== 'number' || !Number.isFinite(id)) return invalid('i must be a string or a number');
  if (!mayBeRounded(id)) return String(id);
  const exact = parseObject(withLongIntegersAsText(text));
  return String(exact?.i ?? exact?.id ?? id);
}

function exactParams(text: string): Params {
  const params = parseObject(withLongIntegersAsText(text))?.p;
  return typeof params === 'object' && params !== null ? (params as Params) : NO_PARAMS;
}
