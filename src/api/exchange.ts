/**
 * One HTTP request and its one answer. Hides what uWebSockets.js asks of its users: that a request is only readable at once, that
 * an aborted response is never touched, and that writes are corked.
 */

import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { isUtf8 } from 'node:buffer';
import { STATUS_CODES } from 'node:http';
import { MeshError } from '../errors.js';
import type { Caller, Role } from './access.js';
import { addressText } from './address.js';
import type { Gate } from './gate.js';
import { errorEnvelope } from './json.js';

export interface Reply {
  readonly status: number;
  readonly type: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export class Exchange {
  readonly address: string;
  private readonly authorization: string;
  private readonly head: boolean;
  /** The page's origin that a browser's answer must name; empty where no browser asked across origins. */
  private readonly origin: string;
  private over = false;

  /** Reads of `req` what may be needed later. Ends at once, with `isOver`, when another site's page asks. */
  constructor(
    private readonly gate: Gate,
    private readonly res: HttpResponse,
    req: HttpRequest,
  ) {
    res.onAborted(() => {
      this.over = true;
    });
    this.head = req.getMethod() === 'head';
    this.address = gate.needsAddress ? addressText(res.getRemoteAddressAsText()) : '';
    this.authorization = gate.access.open ? '' : req.getHeader('authorization');
    const origin = req.getHeader('origin');
    this.origin = origin !== '' && gate.allowedOrigins.has(origin) ? origin : '';
    const refused = gate.originRefusal(origin, req.getHeader('host'));
    if (refused !== null) this.refuse(refused);
  }

  /** Answered already, or the other side is gone. */
  get isOver(): boolean {
    return this.over;
  }

  answer(reply: Reply): void {
    if (this.over) return;
    this.over = true;
    this.res.cork(() => {
      if (reply.status !== 200) this.res.writeStatus(`${reply.status} ${STATUS_CODES[reply.status] ?? 'Error'}`);
      this.res.writeHeader('content-type', reply.type);
      if (this.origin !== '')
        this.res.writeHeader('access-control-allow-origin', this.origin).writeHeader('vary', 'origin');
      for (const name in reply.headers) this.res.writeHeader(name, reply.headers[name]);
      const closing = this.gate.draining || reply.status === 413;
      if (this.head) this.res.endWithoutBody(Buffer.byteLength(reply.body), closing);
      else this.res.end(reply.body, closing);
    });
  }

  json(body: string): void {
    this.answer({ status: 200, type: 'application/json', body });
  }

  /** `status` where HTTP has a closer word than the error table (405, 426). */
  refuse(error: MeshError, status: number = error.status, headers: Record<string, string> = {}): void {
    if (this.over) return;
    this.gate.failed(error);
    if (status === 401) headers['www-authenticate'] = 'Basic realm="lumesh", charset="UTF-8"';
    if (error.retryAfter !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(error.retryAfter)));
    this.answer({ status, type: 'application/json', body: errorEnvelope(error, null), headers });
  }

  /** Finds out who asks; answers itself when that cannot be said. */
  login(known: (caller: Caller) => void): void {
    this.gate.access.login(this.authorization, this.address, (error, caller) => {
      if (error !== null) this.refuse(error);
      else if (!this.over) known(caller);
    });
  }

  /** Finds out who asks and whether the call may run; answers itself when not. */
  admit(role: Role, admitted: (caller: Caller) => void): void {
    this.login((caller) => {
      const refused = this.gate.refusal('http', caller, this.address, role);
      if (refused !== null) this.refuse(refused);
      else admitted(caller);
    });
  }

  /** Hands the response over to what `take` does with it (an upgrade). */
  leave(take: () => void): void {
    if (this.over) return;
    this.over = true;
    this.res.cork(take);
  }

  /** Reads the whole body as text; answers itself when it is too large or not UTF-8. */
  readText(max: number, done: (text: string) => void): void {
    if (this.over) return;
    const parts: Buffer[] = [];
    let size = 0;
    this.res.onData((chunk, isLast) => {
      if (this.over) return;
      size += chunk.byteLength;
      if (size > max) return this.refuse(tooLarge(max));
      const part = Buffer.from(chunk);
      if (!isLast) {
        // The chunk is only lent.
        if (part.length > 0) parts.push(Buffer.from(part));
        return;
      }
      const body = parts.length === 0 ? part : Buffer.concat([...parts, part]);
      if (isUtf8(body)) done(body.toString());
      else this.refuse(new MeshError('invalid_argument', 'the body must be JSON in UTF-8'));
    });
  }
}

export function tooLarge(max: number): MeshError {
  return new MeshError('too_large', `a request may have at most ${max} bytes (api.maxBodyBytes)`);
}
