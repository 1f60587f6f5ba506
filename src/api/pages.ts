/** What the API port serves beside the calls: metrics, health, the OpenAPI document, the console, and "no such path". */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js';
import { MeshError } from '../errors.js';
import { Exchange } from './exchange.js';
import type { Gate } from './gate.js';
import { wrongVerb } from './http.js';
import { openApi } from './openapi.js';
import type { Backplane } from './roles.js';
import { WEBSOCKET_PATH } from './websocket.js';

/** A file of the console by its URL path ("/" is its page); null when there is none. */
export type Asset = (path: string) => { readonly type: string; readonly body: string | Uint8Array } | null;

const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

export function routePages(app: TemplatedApp, gate: Gate, backplane: Backplane, asset: Asset): void {
  const document = JSON.stringify(openApi(backplane.version));
  const page = (path: string, serve: (exchange: Exchange) => void): void => {
    const answer = (res: HttpResponse, req: HttpRequest): void => {
      const exchange = new Exchange(gate, res, req);
      if (!exchange.isOver) serve(exchange);
    };
    app.get(path, answer);
    app.head(path, answer);
    app.any(path, (res, req) => wrongVerb(gate, 'GET', res, req));
  };
  const open = (path: string, serve: (exchange: Exchange) => void): void =>
    page(path, (exchange) => {
      if (gate.access.metricsOpen) serve(exchange);
      else exchange.admit('read', () => serve(exchange));
    });
  open('/healthz', (exchange) => exchange.json('{"alive":true}'));
  open('/readyz', (exchange) => {
    const { ready, reasons } = gate.readiness();
    const body = JSON.stringify({ ready, reasons });
    exchange.answer({ status: ready ? 200 : 503, type: 'application/json', body });
  });
  open('/metrics', (exchange) => {
    backplane.metrics().then(
      (body) => exchange.answer({ status: 200, type: METRICS_TYPE, body }),
      (error) => exchange.refuse(gate.bug(error)),
    );
  });
  app.any(WEBSOCKET_PATH, (res, req) => wantsUpgrade(gate, res, req));
  page('/openapi.json', (exchange) => exchange.admit('read', () => exchange.json(document)));
  app.any('/*', (res, req) => other(gate, asset, res, req));
}

/** Comes here when uWebSockets.js saw no WebSocket key: the path has no other use. */
function wantsUpgrade(gate: Gate, res: HttpResponse, req: HttpRequest): void {
  const text = `${WEBSOCKET_PATH} is the WebSocket API and wants an upgrade: connect with ws:// or wss://`;
  const headers = { upgrade: 'websocket', connection: 'upgrade' };
  new Exchange(gate, res, req).refuse(new MeshError('no_such_method', text), 426, headers);
}

function other(gate: Gate, asset: Asset, res: HttpResponse, req: HttpRequest): void {
  const path = req.getUrl();
  const method = req.getMethod();
  const isUpgrade = req.getHeader('upgrade').toLowerCase() === 'websocket';
  const exchange = new Exchange(gate, res, req);
  if (isUpgrade) {
    const text = `no WebSocket at ${path.slice(0, 200)}; the WebSocket API is at ${WEBSOCKET_PATH}`;
    return exchange.refuse(new MeshError('no_such_method', text));
  }
  const page = method === 'get' || method === 'head' ? asset(path) : null;
  if (page === null) return exchange.refuse(new MeshError('no_such_method', `no such path: ${path.slice(0, 200)}`));
  exchange.admit('read', () => {
    // The page can publish: no other site may put it into a frame of its own.
    const headers = { 'x-content-type-options': 'nosniff', 'x-frame-options': 'DENY', 'cache-control': 'no-cache' };
    exchange.answer({ status: 200, type: page.type, body: page.body, headers });
  });
}
