/** Drives the running server with what its own OpenAPI document says, and holds its answers against the document. */
import t from 'tap';
import { z } from 'zod';
import { live } from './live.js';

interface Schema {
  readonly type?: string | string[];
  readonly properties?: Record<string, Schema>;
  readonly required?: string[];
  readonly enum?: unknown[];
  readonly anyOf?: Schema[];
}
interface Media {
  readonly content?: Record<string, { schema: Schema; example?: unknown }>;
}
interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly parameters?: { name: string; example: string }[];
  readonly requestBody?: Media;
  readonly responses: Record<string, Media & { description: string }>;
}
interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { schemas: Record<string, Schema> };
}

/** Values that a schema does not allow, one for each way in which a client may get the type wrong. */
function wrongValues(schema: Schema): unknown[] {
  const allowed = [schema, ...(schema.anyOf ?? [])];
  const fits = (value: unknown) => allowed.some((one) => one !== undefined && validator(one).safeParse(value).success);
  return [null, 1.5, 'nonsense of no use', true, {}, [], [1]].filter((value) => !fits(value));
}

function validator(schema: Schema, document?: Document) {
  const whole = JSON.parse(JSON.stringify(schema).replaceAll('#/components/schemas/', '#/$defs/'));
  return z.fromJSONSchema({ ...whole, $defs: document?.components.schemas ?? {} });
}

async function documented(t: import('tap').Test) {
  const running = await live(t);
  const document = (await (await fetch(`${running.url}/openapi.json`)).json()) as Document;
  const operations = Object.entries(document.paths).flatMap(([path, verbs]) =>
    Object.entries(verbs).map(([verb, operation]) => ({ path, verb: verb.toUpperCase(), operation })),
  );
  /** Sends a request and checks status and body against the document. */
  const ask = async (entry: (typeof operations)[number], body: unknown, what: string): Promise<number> => {
    const path = entry.path.replace('{channel}', encodeURIComponent(entry.operation.parameters?.[0]?.example ?? ''));
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const response = await fetch(running.url + path, { method: entry.verb, ...init });
    const said = entry.operation.responses[response.status];
    t.ok(said, `${what}: status ${response.status} is in the document`);
    const [type, media] = Object.entries(said?.content ?? {})[0] ?? [];
    t.ok(response.headers.get('content-type')?.startsWith(type ?? '?'), `${what}: content type`);
    if (type === 'application/json' && media) {
      const result = validator(media.schema, document).safeParse(await response.json());
      t.ok(result.success, `${what}: body fits${result.success ? '' : ` not: ${result.error.message}`}`);
    }
    return response.status;
  };
  return { ...running, document, operations, ask };
}

t.test('the document is OpenAPI 3.1 and describes every path once, with a summary', async (t) => {
  const { document, operations } = await documented(t);
  t.equal(document.openapi, '3.1.0');
  t.same(
    operations.map(({ verb, path }) => `${verb} ${path}`),
    [
      'POST /v1/mesh/publish',
      'POST /v1/mesh/send',
      'POST /v1/conn/call',
      'POST /v1/mesh/broadcast',
      'GET /v1/nodes',
      'GET /v1/channels/{channel}',
      'GET /v1/version',
      'GET /healthz',
      'GET /readyz',
      'GET /metrics',
    ],
  );
  t.equal(new Set(operations.map(({ operation }) => operation.operationId)).size, operations.length);
  for (const { operation } of operations) t.match(operation.summary, /\.$/);
});

t.test('every documented request succeeds with the documented answer', async (t) => {
  const { operations, ask } = await documented(t);
  for (const entry of operations) {
    const example = entry.operation.requestBody?.content?.['application/json'].example;
    t.equal(await ask(entry, example, entry.operation.operationId), 200);
  }
});

t.test('a missing required field or a value of a wrong type is refused with a documented error', async (t) => {
  const { operations, ask, mesh } = await documented(t);
  let tried = 0;
  for (const entry of operations) {
    const media = entry.operation.requestBody?.content?.['application/json'];
    if (media === undefined) continue;
    const example = media.example as Record<string, unknown>;
    for (const field of media.schema.required ?? []) {
      const { [field]: _, ...rest } = example;
      t.equal(await ask(entry, rest, `${entry.path} without ${field}`), 400);
    }
    for (const [field, schema] of Object.entries(media.schema.properties ?? {})) {
      for (const value of wrongValues(schema)) {
        tried++;
        t.equal(
          await ask(entry, { ...example, [field]: value }, `${entry.path} ${field}=${JSON.stringify(value)}`),
          400,
        );
      }
    }
  }
  t.ok(tried > 40, `${tried} wrong values tried`);
  t.equal(mesh.published.length, 0);
});

t.test('a node that is not ready answers as documented', async (t) => {
  const { operations, ask, mesh } = await documented(t);
  mesh.reasons = ['joining'];
  mesh.refusal = 'joining';
  for (const entry of operations.filter(({ path }) => path === '/readyz' || path === '/v1/mesh/publish')) {
    t.equal(await ask(entry, entry.operation.requestBody?.content?.['application/json'].example, entry.path), 503);
  }
});
