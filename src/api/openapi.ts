/** The OpenAPI 3.1 description of the HTTP API, made from the list of calls, their schemas and the error table. */
import { ERRORS } from '../errors.js';
import { CALL_LIST, type Call } from './calls.js';
import { CHANNEL, ERROR_ENVELOPE, EXAMPLES, READINESS, REQUESTS, RESULTS, resultEnvelope } from './openapi-schemas.js';

const SUMMARIES: Readonly<Record<string, string>> = {
  'mesh.publish': 'Publish to a channel, on all nodes.',
  'mesh.broadcast': 'Publish the same data to several channels.',
  'mesh.send': 'Send to one client, on whichever node it is.',
  'conn.call': 'Call a function of one connection, on whichever node it is.',
  nodes: 'The members of the mesh, as this node sees them.',
  channel: 'Where a channel’s subscribers are, and where a publish would go.',
  version: 'What runs here.',
};

export function openApi(version: string): object {
  const paths: Record<string, object> = {};
  for (const call of CALL_LIST) {
    if (call.http === null) continue;
    paths[call.http.path.replace('*', '{channel}')] = { [call.http.verb.toLowerCase()]: operation(call) };
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'lumesh',
      version,
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Push to WebSocket and TCP clients of a mesh. Any node answers for the whole mesh. Where users are configured, calls need HTTP Basic, or `Authorization: Bearer name:password`.',
    },
    servers: [{ url: '/' }],
    security: [{}, { basic: [] }, { bearer: [] }],
    paths: { ...paths, ...operatorPaths() },
    components: {
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic' },
        bearer: { type: 'http', scheme: 'bearer', description: 'The token is name:password.' },
      },
      schemas: { Error: ERROR_ENVELOPE },
    },
  };
}

function operation(call: Call): object {
  const request = REQUESTS[call.method];
  return {
    operationId: call.method,
    summary: SUMMARIES[call.method],
    description: `Needs the role "${call.role}". Over the WebSocket API: \`${call.method}\`.`,
    ...(call.http?.path.endsWith('*') ? { parameters: [channelParameter()] } : {}),
    ...(request === undefined ? {} : { requestBody: body(request, EXAMPLES[call.method]) }),
    responses: {
      200: { description: 'Done.', ...content(resultEnvelope(RESULTS[call.method])) },
      ...errorResponses(),
    },
  };
}

/** One response per status that the error table has, naming the errors behind it. */
function errorResponses(): Record<string, object> {
  const byStatus = new Map<number, string[]>();
  for (const { status, code, cure } of Object.values(ERRORS)) {
    byStatus.set(status, [...(byStatus.get(status) ?? []), `${code}: ${cure}`]);
  }
  const responses: Record<string, object> = {};
  for (const [status, lines] of byStatus) {
    responses[status] = { description: lines.join(' '), ...content({ $ref: '#/components/schemas/Error' }) };
  }
  return responses;
}

function operatorPaths(): Record<string, object> {
  const page = (operationId: string, summary: string, responses: object) => ({
    get: { operationId, summary, responses },
  });
  const readiness = content(READINESS);
  const metrics = { description: 'Prometheus text format.', content: { 'text/plain': { schema: { type: 'string' } } } };
  const alive = {
    description: 'It lives.',
    ...content({ type: 'object', properties: { alive: { const: true } }, required: ['alive'] }),
  };
  return {
    '/healthz': page('healthz', 'Whether the process lives.', { 200: alive }),
    '/readyz': page('readyz', 'Whether the node delivers: joined, scripts loaded, not draining.', {
      200: { description: 'Ready.', ...readiness },
      503: { description: 'Not ready, and why.', ...readiness },
    }),
    '/metrics': page('metrics', 'Numbers for Prometheus.', { 200: metrics }),
  };
}

function channelParameter(): object {
  return { name: 'channel', in: 'path', required: true, schema: CHANNEL, example: 'user:1001' };
}

function body(schema: object, example: unknown): object {
  return { required: true, content: { 'application/json': { schema, example } } };
}

function content(schema: object): object {
  return { content: { 'application/json': { schema } } };
}
