/** mix.http against a real HTTP server of node:http. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { schema } from '../../../src/config/schema.js';
import { durationMs, HttpClient, type HttpRequest, type HttpResponse } from '../../../src/scripting/mix/http-client.js';
import { Refused } from '../../../src/scripting/mix/refused.js';

type Answer = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;
const paths = new Map<string, Answer>();
let sockets = 0;

async function serve(): Promise<string> {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const path = (request.url ?? '').replace(/\?.*/, '');
    const answer = paths.get(path) ?? paths.get('/echo')!;
    answer(request, response, Buffer.concat(chunks));
  });
  server.on('connection', () => sockets++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const [base, other] = [await serve(), await serve()];
paths.set('/echo', (request, response, body) => {
  response.setHeader('Content-Type', 'application/json');
  response.end(
    JSON.stringify({
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: body.toString('latin1'),
    }),
  );
});
const to =
  (location: string, status: number, cookie?: string): Answer =>
  (_, response) => {
    if (cookie !== undefined) response.setHeader('set-cookie', cookie);
    response.writeHead(status, { location }).end('moved');
  };
paths.set('/login', to('/home', 302, 'sid=7; Path=/; HttpOnly'));
paths.set('/keep', to('/echo', 307));
paths.set('/away', to(`${other}/echo`, 302));
paths.set('/loop', to('/loop', 301));
paths.set('/mail', to('mailto:x@y', 302));
paths.set('/silent', () => {});
paths.set('/broken', (request) => request.socket.destroy());
paths.set('/large', (_, response) => response.end(Buffer.alloc(5000)));
paths.set('/bytes', (_, response) => response.writeHead(404).end(Buffer.from([0, 255, 128])));

const drops: string[] = [];
const meter = { count: (_: string, __?: number, reason = '') => void drops.push(reason), observe() {} };

function clientWith(settings: object = {}): HttpClient {
  const client = new HttpClient(schema.parse({ lua: { http: settings } }).lua.http, meter);
  t.teardown(() => client.close());
  return client;
}
const client = clientWith();

/** The response with its body read as JSON, or the error. */
type Asked = Partial<HttpResponse> & { error: string | null; seen?: Seen };
type Seen = { method: string; url: string; headers: Record<string, string>; body: string };

async function ask(asked: Partial<HttpRequest> & { url: string }, by = client): Promise<Asked> {
  const response = await by.request({ method: 'GET', ...asked });
  if (response instanceof Refused) return { error: response.error };
  const json = response.headers.get('content-type') === 'application/json';
  return { ...response, seen: json ? JSON.parse(response.body.toString()) : null, error: null };
}
const map = (entries: Record<string, string>) => new Map(Object.entries(entries));

t.test('a request carries method, query, headers, cookies, login and body', async (t) => {
  const answer = await ask({
    method: 'POST',
    url: `${base}/echo?a=1`,
    query: 'b=2&c=%20',
    headers: map({ 'X-Token': 't\xff' }),
    cookies: map({ sid: '1', lang: 'de' }),
    auth: { username: 'ann', password: 'p:w' },
    body: Buffer.from([104, 0, 255]),
  });
  t.match(answer, {
    status: 200,
    url: `${base}/echo?a=1&b=2&c=%20`,
    seen: {
      method: 'POST',
      url: '/echo?a=1&b=2&c=%20',
      body: 'h\0\xff',
      headers: {
        'x-token': 't\xff',
        cookie: 'sid=1; lang=de',
        authorization: `Basic ${btoa('ann:p:w')}`,
        'content-length': '3',
      },
    },
  });
  t.match((await ask({ url: base.replace('//', '//u:p%40w@') })).seen?.headers.authorization, `Basic ${btoa('u:p@w')}`);
});

t.test('any status and any bytes are an answer', async (t) => {
  const answer = await ask({ url: `${base}/bytes` });
  t.match(answer, { status: 404, error: null });
  t.strictSame([...(answer.body ?? [])], [0, 255, 128]);
});

t.test('connections are kept and used again', async (t) => {
  const before = sockets;
  const one = clientWith({ connections: 1 });
  for (let i = 0; i < 10; i++) await ask({ url: `${base}/echo` }, one);
  t.equal(sockets - before, 1);
});

t.test('redirects are followed, with cookies set on the way', async (t) => {
  const answer = await ask({
    method: 'POST',
    url: `${base}/login`,
    body: Buffer.from('u=1'),
    headers: map({ 'content-type': 'x/y' }),
  });
  t.match(answer, { url: `${base}/home`, seen: { method: 'GET', body: '', headers: { cookie: 'sid=7' } } });
  t.notOk(answer.seen?.headers['content-type'], 'a POST that became a GET has no content type');
  t.strictSame(answer.cookies, map({ sid: '7' }));
  t.match(await ask({ method: 'POST', url: `${base}/keep`, body: Buffer.from('x') }), {
    seen: { method: 'POST', body: 'x' },
  });
  t.match(await ask({ url: `${base}/loop` }), { error: 'stopped after 10 redirects' });
  t.match(await ask({ url: `${base}/mail` }), { error: /^redirected to a place that is none/ });
});

t.test('login and cookies stay with the first origin', async (t) => {
  const answer = await ask({
    url: `${base}/away`,
    cookies: map({ a: '1' }),
    auth: { username: 'u', password: 'p' },
    headers: map({ 'x-kept': '1' }),
  });
  t.match(answer, { url: `${other}/echo`, seen: { headers: { 'x-kept': '1' } } });
  t.notOk(answer.seen?.headers.cookie);
  t.notOk(answer.seen?.headers.authorization);
});

t.test('what goes wrong is said in words', async (t) => {
  t.match(await ask({ url: `${base}/silent`, timeoutMs: 30 }), { error: `timeout: GET ${base} took over 30 ms` });
  t.match(await ask({ url: `${base}/broken` }), { error: new RegExp(`^GET ${base}: `) });
  t.match(await ask({ url: 'http://127.0.0.1:1/' }), { error: /ECONNREFUSED/ });
  t.match(await ask({ url: 'ftp://x/' }), { error: '"ftp" is not http or https' });
  t.match(await ask({ url: '/relative' }), { error: '"/relative" is not an absolute http or https URL' });
  t.match(await ask({ url: base, method: 'GET X' }), { error: '"GET X" is not an HTTP method' });
  t.match(await ask({ url: base, headers: map({ 'a b': '1' }) }), { error: '"a b" is not a header name' });
  t.match(await ask({ url: base, headers: map({ a: '1\r\nb: 2' }) }), { error: /line break/ });
  t.match(await ask({ url: base, cookies: map({ a: '1; b=2' }) }), { error: /is not a cookie/ });
  t.match(await ask({ url: base, headers: map({ 'content-length': '5' }), method: 'POST', body: Buffer.from('x') }), {
    error: /^POST/,
  });
});

t.test('answers and requests under way have bounds', async (t) => {
  const bounded = clientWith({ maxResponseBytes: 4999, maxPending: 1 });
  const first = ask({ url: `${base}/large` }, bounded);
  t.match(await ask({ url: `${base}/echo` }, bounded), { error: 'more than 1 requests are under way' });
  t.same(drops, ['http_full'], 'and counted');
  t.match(await first, { error: 'the response has more than 4999 bytes (lua.http.maxResponseBytes)' });
  t.match(await ask({ url: `${base}/large` }, clientWith({ maxResponseBytes: 5000 })), { status: 200 });
});

t.test('closing breaks off what is under way', async (t) => {
  const closing = clientWith();
  const waiting = ask({ url: `${base}/silent` }, closing);
  await new Promise(setImmediate);
  closing.close();
  t.match(await waiting, { error: /^GET/ });
});

t.test('timeouts are seconds or durations', async (t) => {
  const rows: [number | string, number | null][] = [
    [5, 5000],
    [0.25, 250],
    ['30s', 30_000],
    ['500ms', 500],
    ['1h', 3_600_000],
    ['1m30s', 90_000],
    ['2', 2000],
    ['1.5s', 1500],
    [0, null],
    [-1, null],
    ['', null],
    ['5 s', null],
    ['s', null],
  ];
  for (const [value, expected] of rows) t.equal(durationMs(value), expected, String(value));
});
