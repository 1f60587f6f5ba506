/** The JSON schemas of the API's requests and answers, for the OpenAPI document. openapi.ts puts them under their paths. */
import { MAX_AT_ONCE } from './operations.js';
import { CALLS } from './roles.js';

type Schema = Readonly<Record<string, unknown>>;

const text = (description: string): Schema => ({ type: 'string', description });
const count = (description: string): Schema => ({ type: 'integer', minimum: 0, description });
const countOrNull = (description: string): Schema => ({ type: ['integer', 'null'], minimum: 0, description });
const millisecondsOrNull = (description: string): Schema => ({ type: ['number', 'null'], description });

function object(properties: Record<string, Schema>, required = Object.keys(properties)): Schema {
  return { type: 'object', properties, required };
}

export const CHANNEL: Schema = {
  type: 'string',
  minLength: 1,
  maxLength: 255,
  pattern: '^[^\\s\\u0000-\\u001f\\u007f-\\u009f]+$',
  description: 'A channel: 1 to 255 bytes of UTF-8 without white space or control characters.',
};
const clientId: Schema = {
  anyOf: [
    { type: 'string', pattern: '^[0-9]{1,20}$' },
    { type: 'integer', minimum: 0 },
  ],
  description: 'A client id. Numbers beyond 2^53 keep all their digits.',
};
const payload = {
  d: text('The data: text, or base64 where `t` is "binary".'),
  t: { enum: ['text', 'binary'], default: 'text', description: 'How subscribers receive it.' },
};
const wait: Schema = {
  type: ['boolean', 'null'],
  default: true,
  description: 'false: answer as soon as the message is accepted, with zeros for the counts and "a":false.',
};

export const REQUESTS: Readonly<Record<string, Schema>> = {
  'mesh.publish': object({ c: CHANNEL, ...payload, a: wait }, ['c', 'd']),
  'mesh.broadcast': object(
    { c: { type: 'array', items: CHANNEL, minItems: 1, maxItems: MAX_AT_ONCE }, ...payload, a: wait },
    ['c', 'd'],
  ),
  'mesh.send': object({ c: clientId, ...payload }, ['c', 'd']),
  'conn.call': object(
    {
      c: clientId,
      f: { enum: [...CALLS], description: 'The function of the connection.' },
      a: {
        type: 'array',
        description: 'Its arguments: [key, value], [object], [channel, …], [channel, …], [code, reason].',
      },
    },
    ['c', 'f'],
  ),
};

export const EXAMPLES: Readonly<Record<string, unknown>> = {
  'mesh.publish': { c: 'user:1001', d: 'Hello,World!' },
  'mesh.broadcast': { c: ['user:1001', 'user:1002'], d: 'Hello,World!' },
  'mesh.send': { c: '6442450944000000001', d: 'Hello,World!' },
  'conn.call': { c: '6442450944000000001', f: 'set_context_value', a: ['uid', 1001] },
};

const counts = object(
  {
    s: count('Subscribers that got it. Exact when `u` is absent, else a lower bound.'),
    f: count('Subscribers that could not get it.'),
    u: { type: 'array', items: { type: 'string' }, description: 'Nodes that did not confirm in time.' },
    a: { const: false, description: 'There when the request said "a":false: the counts were not awaited.' },
  },
  ['s', 'f'],
);
const success = object({ s: { const: true } });

const node = object({
  nodeId: text('Name of the node.'),
  state: text('alive, suspect, dead, left.'),
  role: text('full, or leaving.'),
  address: text('host:port that peers use.'),
  api: text('host:port of its API.'),
  version: text('Version of lumesh that it runs.'),
  self: { type: 'boolean', description: 'The node that answered.' },
  connections: countOrNull('Client connections; null where the node did not answer in time.'),
  channels: countOrNull('Channels with subscribers there.'),
  subscriptions: countOrNull('Subscriptions there.'),
  link: {
    anyOf: [
      { type: 'null' },
      object({
        roundTripMs: millisecondsOrNull('Round trip between the answering node and it.'),
        lastCanaryMs: millisecondsOrNull('Milliseconds since a message was last echoed over its data link.'),
        queueBytes: count('Bytes that wait to be sent to it.'),
        dropped: count('Messages to it that were refused.'),
        digest: text('The view that it announced last.'),
      }),
    ],
    description: 'As seen from the node that answered; null for itself.',
  },
});

const channelReport = object({
  channel: CHANNEL,
  subscribers: {
    type: 'object',
    additionalProperties: { type: ['integer', 'null'] },
    description:
      'Subscribers by node, once for each of their subscriptions, those to patterns included; null where that node did not answer in time.',
  },
  patterns: {
    type: 'array',
    items: { type: 'string' },
    description: 'Patterns with a subscriber somewhere that the channel matches.',
  },
  owners: {
    type: 'array',
    items: { type: 'string' },
    description: 'The nodes that keep its directory, in the order in which they are asked.',
  },
  route: {
    type: 'array',
    items: object({ nodeId: text('A node.'), why: text('Why a publish would be sent to it now.') }),
  },
  lookup: {
    anyOf: [{ type: 'null' }, object({ answeredBy: { type: ['string', 'null'] } })],
    description:
      'Null where the answering node owns the channel or holds a lease. Else it asked, and the route is what that owner said; null when none answered.',
  },
});

export const RESULTS: Readonly<Record<string, Schema>> = {
  'mesh.publish': counts,
  'mesh.broadcast': counts,
  'mesh.send': success,
  'conn.call': success,
  nodes: { type: 'array', items: node },
  channel: channelReport,
  version: object({ version: text('Version of lumesh.'), node: text('Name of the node.') }),
};

export const READINESS = object({
  ready: { type: 'boolean' },
  reasons: { type: 'array', items: { type: 'string' }, description: 'Why it is not ready.' },
});

export const ERROR_ENVELOPE = object({
  E: object(
    {
      c: { type: 'integer', description: 'Number of the error table.' },
      m: text('What was wrong.'),
      retryAfter: { type: 'number', description: 'Seconds after which a retry may succeed, where waiting helps.' },
    },
    ['c', 'm'],
  ),
});

export function resultEnvelope(result: Schema): Schema {
  return object({ E: { type: 'null' }, r: result });
}
