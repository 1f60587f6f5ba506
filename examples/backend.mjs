/** What the examples' back ends share: a small HTTP server for JSON, and calls of lumesh's HTTP API. No framework. */
import { createServer } from 'node:http';

/** Set once the node is up; before that, the usual address. */
let lumesh = 'http://127.0.0.1:6789';
const ready = [];

process.on('message', (report) => {
  if (report.kind !== 'lumesh') return;
  lumesh = report.url;
  for (const tell of ready.splice(0)) tell(lumesh);
});
process.once('SIGTERM', () => process.exit(0));
process.once('disconnect', () => process.exit(0));

/** Calls `fn` with the API's address as soon as it is known. Started by hand, that is at once. */
export function whenLumeshIsUp(fn) {
  if (process.send) ready.push(fn);
  else fn(lumesh);
}

/** Publishes to everybody on a channel; the counts of connections that got it and that could not. */
export async function publish(channel, message) {
  const response = await fetch(`${lumesh}/v1/mesh/publish`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ c: channel, d: JSON.stringify(message) }),
  });
  const { E: error, r: counts } = await response.json();
  if (error) throw new Error(error.m);
  return { success: counts.s, fail: counts.f };
}

/** Serves `routes`: "POST /login" → (body, url) => [status, answer]. */
export function serve(usualPort, routes) {
  const server = createServer(async (request, response) => {
    const url = new URL(request.url, 'http://localhost');
    let [status, answer] = [404, { error: 'not found' }];
    try {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const body = chunks.length > 0 ? JSON.parse(Buffer.concat(chunks).toString()) : {};
      const route = routes[`${request.method} ${url.pathname}`];
      if (route) [status, answer] = await route(body, url);
    } catch (error) {
      [status, answer] = [error instanceof SyntaxError ? 400 : 502, { error: error.message }];
    }
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  server.listen(Number(process.env.PORT ?? usualPort), '127.0.0.1', () => {
    const { port } = server.address();
    if (process.send) process.send({ kind: 'ready', port });
    else console.log(`back end on http://127.0.0.1:${port}`);
  });
}
