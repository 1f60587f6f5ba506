/**
 * The calls of API.md in their JSON form: method name, HTTP path, the role a user needs, and how parameters become an
 * operation and its outcome JSON. http.ts, websocket.ts and openapi.ts all read this one list.
 */
import type { PublishResult } from '../core/message.js';
import type { MeshError } from '../errors.js';
import { excerpt, mayBeRounded, type Params, parseObject, withLongIntegersAsText } from './json.js';
import { invalid, type Operations } from './operations.js';

/** What a call was sent with. `text` is the JSON object that holds the parameters; see `exactClientId`. */
export interface Request {
  readonly params: Params;
  /** The parameters again, with integers beyond 2^53 as strings. */
  exact(): Params;
}

/** `json` is the result as JSON text; meaningless when there is an error. */
export type Answer = (error: MeshError | null, json: string) => void;

export interface Call {
  readonly method: string;
  readonly role: 'read' | 'write';
  /** Null for what only the WebSocket API has. A `*` at the end is the parameter `c`, URL-decoded. */
  readonly http: { readonly verb: 'GET' | 'POST'; readonly path: string } | null;
  run(operations: Operations, request: Request, answer: Answer): void;
}

const SUCCESS = '{"s":true}';
/** The answer where the counts are not awaited. */
const ACCEPTED = '{"s":0,"f":0,"a":false}';

/** The two are the same but for what `c` names. */
function publishing(operation: 'publish' | 'broadcast'): Call['run'] {
  return (operations, { params }, answer) => {
    const data = payload(params);
    const wait = params.a ?? true;
    if (typeof data === 'string') return answer(invalid(data), '');
    if (typeof wait !== 'boolean') return answer(invalid('a must be true (wait for the counts) or false'), '');
    operations[operation](params.c, data, params.t === 'binary', wait, (error, result) =>
      answer(error, wait ? countsJson(result) : ACCEPTED),
    );
  };
}

export const CALL_LIST: readonly Call[] = [
  {
    method: 'mesh.publish',
    role: 'write',
    http: { verb: 'POST', path: '/v1/mesh/publish' },
    run: publishing('publish'),
  },
  {
    method: 'mesh.send',
    role: 'write',
    http: { verb: 'POST', path: '/v1/mesh/send' },
    run(operations, request, answer) {
      const data = payload(request.params);
      if (typeof data === 'string') return answer(invalid(data), '');
      operations.send(clientId(request), data, request.params.t === 'binary', (error) => answer(error, SUCCESS));
    },
  },
  {
    method: 'conn.call',
    role: 'write',
    http: { verb: 'POST', path: '/v1/conn/call' },
    run(operations, request, answer) {
      const { f, a } = request.params;
      operations.call(clientId(request), f, a, (error) => answer(error, SUCCESS));
    },
  },
  {
    method: 'mesh.broadcast',
    role: 'write',
    http: { verb: 'POST', path: '/v1/mesh/broadcast' },
    run: publishing('broadcast'),
  },
  {
    method: 'nodes',
    role: 'read',
    http: { verb: 'GET', path: '/v1/nodes' },
    run(operations, _, answer) {
      operations.nodes((error, nodes) => answer(error, JSON.stringify(nodes)));
    },
  },
  {
    method: 'channel',
    role: 'read',
    http: { verb: 'GET', path: '/v1/channels/*' },
    run(operations, { params }, answer) {
      operations.channel(params.c, (error, report) => answer(error, JSON.stringify(report)));
    },
  },
  {
    method: 'version',
    role: 'read',
    http: { verb: 'GET', path: '/v1/version' },
    run(operations, _, answer) {
      answer(null, JSON.stringify(operations.version()));
    },
  },
];

/** The payload of `d` and `t` as bytes, or what is wrong with it. */
function payload(params: Params): Buffer | string {
  const { d, t } = params;
  if (typeof d !== 'string') return `d must be a string, not ${d === null ? 'null' : typeof d}`;
  if (t === undefined || t === 'text') {
    const bytes = Buffer.from(d);
    // A lone surrogate has no UTF-8 form; Buffer.from would quietly deliver U+FFFD instead.
    if (bytes.length !== d.length && /\p{Surrogate}/u.test(d)) return 'd must not contain half of a surrogate pair';
    return bytes;
  }
  if (t !== 'binary') return `t must be "text" or "binary", not ${excerpt(t)}`;
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(d) || d.replace(/=+$/, '').length % 4 === 1)
    return 'd must be base64 when t is "binary"';
  return Buffer.from(d, 'base64');
}

/** Client ids may come as strings or as numbers; beyond 2^53 their digits are read from the text itself. */
function clientId(request: Request): unknown {
  const { c } = request.params;
  if (typeof c !== 'number') return c;
  return mayBeRounded(c) ? request.exact().c : String(c);
}

/** The counts of a publish as JSON. */
export function countsJson(result: PublishResult): string {
  const both = `{"s":${result.success},"f":${result.fail}`;
  return result.unconfirmed.length === 0 ? `${both}}` : `${both},"u":${JSON.stringify(result.unconfirmed)}}`;
}

/** A request whose parameters are the whole JSON text (HTTP). */
export function requestOfText(text: string): Request | null {
  const params = parseObject(text);
  if (params === null) return null;
  return { params, exact: () => parseObject(withLongIntegersAsText(text)) ?? params };
}
