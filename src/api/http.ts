/**
 * The HTTP side of the API port: the calls of calls.ts under their paths, every answer an envelope. Pages that are no calls
 * (metrics, health, OpenAPI, console, and what is not found) are in pages.ts.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { MeshError } from '../errors.js';
import type { Caller } from './access.js';
import { CALL_LIST, type Call, type Request, requestOfText } from './calls.js';
import { Exchange, tooLarge } from './exchange.js';
import type { Gate } from './gate.js';
import { resultEnvelope } from './json.js';
import { invalid, type Operations } from './operations.js';

export interface HttpShell {
  readonly gate: Gate;
  readonly operations: Operations;
  readonly maxBodyBytes: number;
}

export function routeCalls(app: TemplatedApp, shell: HttpShell): void {
  for (const call of CALL_LIST) {
    if (call.http === null) continue;
    const { verb, path } = call.http;
    if (verb === 'POST') app.post(path, (res, req) => post(shell, call, res, req));
    else app.get(path, (res, req) => get(shell, call, path, res, req));
    app.options(path, (res, req) => preflight(shell.gate, verb, res, req));
    app.any(path, (res, req) => wrongVerb(shell.gate, verb, res, req));
  }
}

function post(shell: HttpShell, call: Call, res: HttpResponse, req: HttpRequest): void {
  const exchange = new Exchange(shell.gate, res, req);
  if (Number(req.getHeader('content-length')) > shell.maxBodyBytes) exchange.refuse(tooLarge(shell.maxBodyBytes));
  if (exchange.isOver) return;
  // The body must be read at once, a login may take longer: whichever comes second runs the call.
  let caller: Caller | null = null;
  let text: string | null = null;
  exchange.admit(call.role, (who) => {
    caller = who;
    if (text !== null) runText(shell, call, exchange, text);
  });
  exchange.readText(shell.maxBodyBytes, (body) => {
    text = body;
    if (caller !== null) runText(shell, call, exchange, body);
  });
}

function runText(shell: HttpShell, call: Call, exchange: Exchange, text: string): void {
  const request = requestOfText(text);
  if (request === null) exchange.refuse(invalid('the body must be a JSON object'));
  else run(shell, call, exchange, request);
}

function get(shell: HttpShell, call: Call, path: string, res: HttpResponse, req: HttpRequest): void {
  const exchange = new Exchange(shell.gate, res, req);
  const tail = path.endsWith('*') ? req.getUrl().slice(path.length - 1) : '';
  if (exchange.isOver) return;
  exchange.admit(call.role, () => {
    const params = { c: decoded(tail) };
    if (params.c === null) exchange.refuse(invalid('the path is not URL-encoded UTF-8'));
    else run(shell, call, exchange, { params, exact: () => params });
  });
}

function run(shell: HttpShell, call: Call, exchange: Exchange, request: Request): void {
  try {
    call.run(shell.operations, request, (error, json) => {
      if (error !== null) exchange.refuse(error);
      else exchange.json(resultEnvelope(json, null));
    });
  } catch (error) {
    exchange.refuse(shell.gate.bug(error));
  }
}

/** What a browser asks before it lets a page of another origin call. Pages of the same origin never ask. */
function preflight(gate: Gate, verb: string, res: HttpResponse, req: HttpRequest): void {
  const exchange = new Exchange(gate, res, req);
  const headers = {
    'access-control-allow-methods': verb,
    'access-control-allow-headers': 'authorization, content-type',
    'access-control-max-age': '600',
    allow: verb,
  };
  exchange.answer({ status: 204, type: 'application/json', body: '', headers });
}

export function wrongVerb(gate: Gate, verb: string, res: HttpResponse, req: HttpRequest): void {
  const text = `${req.getCaseSensitiveMethod()} is not a method of ${req.getUrl()}; use ${verb}`;
  new Exchange(gate, res, req).refuse(new MeshError('no_such_method', text), 405, { allow: verb });
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
