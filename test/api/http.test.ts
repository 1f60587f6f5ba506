import { connect } from 'node:net';
import t from 'tap';
import { live, raw } from './live.js';

const CLIENT = '6442450944000000001';

t.test('a publish is answered with exactly the envelope that existing clients expect', async (t) => {
  const { mesh, answer } = await live(t);
  mesh.result = { success: 3, fail: 0, unconfirmed: [] };
  t.same(await answer('/v1/mesh/publish', '{"c":"user:1001","d":"Hello,World!"}'), [
    200,
    '{"E":null,"r":{"s":3,"f":0}}',
  ]);
  t.equal(mesh.published[0].channel, 'user:1001');
  t.equal(Buffer.from(mesh.published[0].data).toString(), 'Hello,World!');
  t.equal(mesh.published[0].binary, false);
});

t.test('binary data comes as base64, is published as bytes, and nodes that did not confirm are named', async (t) => {
  const { mesh, answer } = await live(t);
  mesh.result = { success: 1, fail: 1, unconfirmed: ['node-2'] };
  const body = { c: 'c', d: Buffer.from([0, 255, 128]).toString('base64'), t: 'binary' };
  t.same(await answer('/v1/mesh/publish', body), [200, '{"E":null,"r":{"s":1,"f":1,"u":["node-2"]}}']);
  t.same([...mesh.published[0].data], [0, 255, 128]);
  t.equal(mesh.published[0].binary, true);
});

t.test('a publish with "a":false does not wait for the counts', async (t) => {
  const { mesh, answer } = await live(t);
  mesh.held = [];
  t.same(await answer('/v1/mesh/publish', { c: 'c', d: 'x', a: false }), [
    200,
    '{"E":null,"r":{"s":0,"f":0,"a":false}}',
  ]);
  t.equal(mesh.published[0].waited, false);
});

t.test('a broadcast sums the counts of its channels and names each node once', async (t) => {
  const { mesh, answer } = await live(t);
  mesh.result = { success: 2, fail: 1, unconfirmed: ['node-3'] };
  const [status, body] = await answer('/v1/mesh/broadcast', { c: ['a', 'b', 'a'], d: 'x' });
  t.equal(status, 200);
  t.equal(body, '{"E":null,"r":{"s":4,"f":2,"u":["node-3"]}}');
});

t.test('a client id may be a string or a number, and no digit is lost beyond 2^53', async (t) => {
  const { mesh, answer } = await live(t);
  for (const c of [`"${CLIENT}"`, CLIENT]) {
    t.same(await answer('/v1/mesh/send', `{"d":"say \\"${CLIENT}\\"","c":${c}}`), [200, '{"E":null,"r":{"s":true}}']);
  }
  t.same(mesh.sent, [
    { clientId: CLIENT, text: `say "${CLIENT}"`, binary: false },
    { clientId: CLIENT, text: `say "${CLIENT}"`, binary: false },
  ]);
  await answer('/v1/conn/call', `{"c":${CLIENT},"f":"set_context_value","a":["pi",3.141592653589793115997963]}`);
  t.same(mesh.calls, [{ clientId: CLIENT, call: 'set_context_value', args: ['pi', Math.PI] }]);
});

t.test('a send or call whose connection is gone says so with 401 or 301', async (t) => {
  const { mesh, answer } = await live(t);
  mesh.outcome = { ok: false, reason: 'no_connection', text: 'the connection is gone' };
  t.same(await answer('/v1/mesh/send', { c: CLIENT, d: 'x' }), [404, '{"E":{"c":401,"m":"the connection is gone"}}']);
  t.same(await answer('/v1/conn/call', { c: CLIENT, f: 'close', a: [] }), [
    404,
    '{"E":{"c":301,"m":"the connection is gone"}}',
  ]);
  t.same(await answer('/v1/mesh/send', { c: '7', d: 'x' }), [
    404,
    '{"E":{"c":401,"m":"no connection has the client id 7"}}',
  ]);
});

const BOTTOMLESS = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;
const BAD: readonly (readonly [string, string, string, RegExp])[] = [
  ['not JSON', '/v1/mesh/publish', '{"c":', /the body must be a JSON object/],
  ['a list', '/v1/mesh/publish', '[]', /the body must be a JSON object/],
  ['nothing', '/v1/mesh/publish', '', /the body must be a JSON object/],
  ['no channel', '/v1/mesh/publish', '{"d":"x"}', /a channel must be a string, not undefined/],
  ['a channel with white space', '/v1/mesh/publish', '{"c":"a b","d":"x"}', /white space/],
  ['a long channel', '/v1/mesh/publish', `{"c":"${'é'.repeat(128)}","d":"x"}`, /at most 255 bytes/],
  ['data that is no string', '/v1/mesh/publish', '{"c":"a","d":1}', /d must be a string, not number/],
  ['half a surrogate pair', '/v1/mesh/publish', '{"c":"a","d":"\\ud800"}', /surrogate/],
  ['an unknown type', '/v1/mesh/publish', '{"c":"a","d":"x","t":"blob"}', /t must be/],
  ['bad base64', '/v1/mesh/publish', '{"c":"a","d":"a$b","t":"binary"}', /base64/],
  ['a client id of letters', '/v1/mesh/send', '{"c":"abc","d":"x"}', /a client id must be a decimal number/],
  ['a fractional client id', '/v1/mesh/send', '{"c":1.5,"d":"x"}', /a client id must be a decimal number/],
  ['an unknown function', '/v1/conn/call', `{"c":"${CLIENT}","f":"exec"}`, /f must be one of/],
  ['a key that is no string', '/v1/conn/call', `{"c":"${CLIENT}","f":"set_context_value","a":[1,2]}`, /a key/],
  [
    'a user id that would be rounded',
    '/v1/conn/call',
    `{"c":"${CLIENT}","f":"set_context_value","a":["uid",[1234567890123456789]]}`,
    /send it as a string/,
  ],
  ['a bad close code', '/v1/conn/call', `{"c":"${CLIENT}","f":"close","a":[1005]}`, /close code/],
  ['bottomless arguments', '/v1/conn/call', `{"c":1,"f":"set_context","a":[{"x":${BOTTOMLESS}}]}`, /nested 64 deep/],
  ['a bottomless function', '/v1/conn/call', `{"c":1,"f":${BOTTOMLESS}}`, /not a list/],
  ['a bottomless type', '/v1/mesh/publish', `{"c":"a","d":"x","t":${BOTTOMLESS}}`, /not a list/],
  ['a long type', '/v1/mesh/publish', `{"c":"a","d":"x","t":"${'x'.repeat(9999)}"}`, /^.{100,200}$/],
  ['waiting neither way', '/v1/mesh/publish', '{"c":"a","d":"x","a":"no"}', /a must be true/],
  ['no channels', '/v1/mesh/broadcast', '{"c":[],"d":"x"}', /must not be empty/],
  ['a wrong one among the channels', '/v1/mesh/broadcast', '{"c":["a","b c"],"d":"x"}', /white space/],
];

t.test('bad input is answered with 101, and nothing is published', async (t) => {
  const { mesh, answer } = await live(t);
  for (const [name, path, body, expected] of BAD) {
    const [status, text] = await answer(path, body);
    t.equal(status, 400, name);
    const { E } = JSON.parse(text);
    t.equal(E.c, 101, name);
    t.match(E.m, expected, name);
  }
  t.same([mesh.published.length, mesh.sent.length, mesh.calls.length], [0, 0, 0]);
});

t.test('a body over the limit is refused with 413 whether its length is declared or not', async (t) => {
  const { api, answer, mesh } = await live(t, { api: { maxBodyBytes: 1024 } });
  const [status, text] = await answer('/v1/mesh/publish', { c: 'c', d: 'x'.repeat(2000) });
  t.equal(status, 413);
  t.equal(JSON.parse(text).E.c, 103);
  const chunk = 'x'.repeat(1500);
  const head = 'POST /v1/mesh/publish HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n';
  const body = `${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`;
  t.match(await raw(api.httpPort, head + body, /"c":103/), /^HTTP\/1.1 413 /);
  t.equal(mesh.published.length, 0);
});

t.test('a body that is not UTF-8 is refused', async (t) => {
  const { url } = await live(t);
  const body = Buffer.concat([Buffer.from('{"c":"a","d":"'), Buffer.from([0xff]), Buffer.from('"}')]);
  const response = await fetch(`${url}/v1/mesh/publish`, { method: 'POST', body });
  t.equal(response.status, 400);
  t.match(await response.text(), /UTF-8/);
});

t.test('unknown paths and wrong methods are answered with envelopes', async (t) => {
  const { url, answer } = await live(t);
  t.same(await answer('/v1/mesh/shout', {}), [404, '{"E":{"c":105,"m":"no such path: /v1/mesh/shout"}}']);
  const wrong = await fetch(`${url}/v1/mesh/publish`);
  t.equal(wrong.status, 405);
  t.equal(wrong.headers.get('allow'), 'POST');
  t.equal(JSON.parse(await wrong.text()).E.c, 105);
  for (const page of ['/healthz', '/readyz', '/metrics', '/openapi.json']) {
    t.same((await answer(page, {}))[0], 405, page);
  }
});

t.test('a page answers HEAD with the headers of GET', async (t) => {
  const { api } = await live(t);
  const head = await raw(api.httpPort, 'HEAD /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n', /\r\n\r\n/);
  t.match(head, /^HTTP\/1\.1 200 /);
  t.match(head, /Content-Length: 14\r\n/);
});

t.test('requests on one connection are answered in order, and a request that is given up harms nobody', async (t) => {
  const { api, mesh } = await live(t);
  const one = (data: string) =>
    `POST /v1/mesh/publish HTTP/1.1\r\nHost: a\r\nContent-Length: ${20 + data.length}\r\n\r\n{"c":"chan_","d":"${data}"}`;
  const text = await raw(api.httpPort, one('1') + one('2'), /(?:"f":0.*){2}/s);
  t.equal(text.match(/\{"E":null,"r":\{"s":0,"f":0\}\}/g)?.length, 2);
  mesh.held = [];
  const impatient = connect(api.httpPort, '127.0.0.1');
  impatient.write(one('3'));
  while (mesh.published.length < 3) await new Promise(setImmediate);
  impatient.destroy();
  const patient = raw(api.httpPort, one('4'), /"f":0/);
  while (mesh.published.length < 4) await new Promise(setImmediate);
  for (const answer of mesh.held) answer();
  t.match(await patient, /"s":0/);
});

t.test('a mesh that cannot take a publish now is named: 503 before it is ready, 429 when it is loaded', async (t) => {
  const { mesh, post } = await live(t);
  mesh.refusal = 'the queue to node-2 is full';
  const loaded = await post('/v1/mesh/publish', { c: 'c', d: 'x' });
  t.equal(loaded.status, 429);
  t.equal(loaded.headers.get('retry-after'), '1');
  t.equal(await loaded.text(), '{"E":{"c":104,"m":"the queue to node-2 is full","retryAfter":1}}');
  mesh.reasons = ['joining'];
  t.equal((await post('/v1/mesh/publish', { c: 'c', d: 'x' })).status, 503);
});

t.test('nodes, version and a channel whose name needs encoding can be looked at', async (t) => {
  const { url } = await live(t);
  const get = async (path: string) => (await fetch(url + path)).json();
  t.match(await get('/v1/nodes'), { E: null, r: [{ nodeId: 'node-1', self: true }] });
  t.same(await get('/v1/version'), { E: null, r: { version: '1.2.3', node: 'node-1' } });
  t.match(await get('/v1/channels/user%3A1%2Fä'), { E: null, r: { channel: 'user:1/ä', owners: ['node-1'] } });
  t.match(await get('/v1/channels/%ff'), { E: { c: 101 } });
});

t.test('health, readiness and metrics are served', async (t) => {
  const { url, mesh, api } = await live(t);
  t.equal((await fetch(`${url}/healthz`)).status, 200);
  t.same(await (await fetch(`${url}/readyz`)).json(), { ready: true, reasons: [] });
  mesh.reasons = ['joining'];
  const unready = await fetch(`${url}/readyz`);
  t.equal(unready.status, 503);
  t.same(await unready.json(), { ready: false, reasons: ['joining'] });
  const metrics = await fetch(`${url}/metrics`);
  t.match(metrics.headers.get('content-type'), /^text\/plain; version=0\.0\.4/);
  t.match(await metrics.text(), /lumesh_up 1/);
  mesh.reasons = [];
  api.drain();
  t.same(await (await fetch(`${url}/readyz`)).json(), { ready: false, reasons: ['draining'] });
});

t.test('the console is served where it has a file', async (t) => {
  const asset = (path: string) => (path === '/' ? { type: 'text/html', body: '<p>console' } : null);
  const { url } = await live(t, { asset });
  const page = await fetch(url);
  t.equal(page.headers.get('content-type'), 'text/html');
  t.equal(await page.text(), '<p>console');
  t.equal((await fetch(url, { method: 'HEAD' })).status, 200);
  t.equal((await fetch(`${url}/none.js`)).status, 404);
});

t.test('pages of other sites may not call, unless their origin is listed', async (t) => {
  const { url, answer } = await live(t, { api: { origins: ['https://console.example.com'] } });
  const body = { c: 'c', d: 'x' };
  t.equal((await answer('/v1/mesh/publish', body, { origin: 'https://evil.example.com' }))[0], 403);
  t.equal((await answer('/v1/mesh/publish', body, { origin: url }))[0], 200);
  const origin = 'https://console.example.com';
  const listed = await fetch(`${url}/v1/mesh/publish`, { method: 'OPTIONS', headers: { origin } });
  t.equal(listed.status, 204);
  t.equal(listed.headers.get('access-control-allow-origin'), origin);
});

t.test('a site that gives itself a name for this machine may not call a node without logins', async (t) => {
  const post = (host: string) =>
    `POST /v1/mesh/publish HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://${host}\r\nContent-Length: 17\r\n\r\n{"c":"c","d":"x"}`;
  const open = await live(t);
  t.match(await raw(open.api.httpPort, post('evil.example.com:6789'), /\}$/), /^HTTP\/1\.1 403/);
  t.match(await raw(open.api.httpPort, post('localhost:6789'), /\}$/), /^HTTP\/1\.1 200/);
  const insecure = await live(t, { api: { insecure: true } });
  t.match(await raw(insecure.api.httpPort, post('mesh.internal:6789'), /\}$/), /^HTTP\/1\.1 200/);
});

t.test('two APIs on one port: the second is told which setting to change', async (t) => {
  const { api } = await live(t);
  await t.rejects(live(t, { api: { port: api.httpPort } }), {
    message: /api\.port: port \d+ on 127\.0\.0\.1 is taken/,
  });
});
