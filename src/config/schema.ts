/**
 * Every setting of a node: type, default, bounds, unit and doc, in the shape of the YAML file. The one place where a setting
 * is declared; `lumesh config print`, docs/configuration.md and the error texts are made from it. Rules that look at more
 * than one setting are in rules.ts, reading the sources in load.ts.
 */
import { z } from 'zod';

/** What a person may want to know of a setting beside its type. */
export interface SettingDoc {
  /** What it does, and what raising and lowering it costs. */
  readonly doc: string;
  readonly unit?: string;
  /** Taken over on SIGHUP or file change without a restart. */
  readonly live?: boolean;
  /** Never printed or logged. */
  readonly secret?: boolean;
}

function integer(doc: string, fallback: number, min: number, max: number, unit?: string) {
  return z.number().int().min(min).max(max).default(fallback).meta({ doc, unit });
}
const text = (doc: string, fallback: string) => z.string().default(fallback).meta({ doc });
const secret = (doc: string) => z.string().default('').meta({ doc, secret: true });
const flag = (doc: string, fallback: boolean) => z.boolean().default(fallback).meta({ doc });
const port = (doc: string, fallback: number) => integer(`${doc} 0 takes any free one.`, fallback, 0, 65535);
const file = (doc: string) => text(doc, '');

const SECRET_FILE =
  'A file that holds the secret; its last line break is not part of it. Instead of the setting without "File".';

function serverTls(who: string) {
  return z
    .strictObject({
      cert: file(`PEM file of the certificate shown to ${who}, chain included. Empty: no TLS.`),
      key: file('PEM file of the private key of `cert`.'),
    })
    .prefault({});
}

const cluster = z.strictObject({
  name: text('Nodes of another name are refused.', 'lumesh'),
  secret: secret('Shared secret of all nodes. Required when `bind` is not loopback, unless mutual TLS is set.'),
  secretFile: file(SECRET_FILE),
  bind: text('Address on which peers are awaited.', '127.0.0.1'),
  port: port('Port on which peers are awaited.', 6788),
  advertise: text(
    'host:port that peers use. Empty: `bind`, or the first non-loopback address when that is 0.0.0.0.',
    '',
  ),
  seeds: z
    .array(z.string().regex(/^(\[[0-9a-fA-F:]+\]|[^\s:[\]]+):[0-9]{1,5}$/, 'host:port'))
    .default([])
    .meta({
      doc: 'host:port of nodes to join through; a name is resolved to all its addresses. Empty: start a mesh of its own.',
    }),
  profile: z.enum(['local', 'lan', 'wan']).default('lan').meta({
    doc: 'Timings of failure detection: local finds a silent host within 3 s, lan within 10 s, wan tolerates slow links.',
  }),
  ring: z
    .strictObject({
      replicateAllUpTo: integer(
        'Up to so many members, every node knows all interest and a publish takes one hop. Raising it costs memory and traffic on every node, lowering it a look-up on cold channels. The same on all nodes.',
        8,
        0,
        1024,
        'members',
      ),
      replicas: integer(
        'Owners of a channel above that size. Every owner must acknowledge a subscribe. The same on all nodes.',
        3,
        1,
        16,
        'nodes',
      ),
    })
    .prefault({}),
  queueBytes: integer(
    'Bound of what waits for one peer; beyond it messages to that peer are refused, counted, and it is told.',
    16777216,
    65536,
    1073741824,
    'bytes',
  ),
  maxFrameBytes: integer(
    'Largest frame between two nodes; must be over every maxPayloadBytes and maxBodyBytes. The same on all nodes.',
    16777216,
    65536,
    1073741824,
    'bytes',
  ),
  queueFrames: integer('Bound of the number of frames that wait for one peer.', 65536, 256, 16777216, 'frames'),
  maxPatterns: integer(
    'Patterns that may have a subscriber on this node; one more is refused. Every node keeps those of all nodes: raising it costs memory and, for patterns that begin alike, time of every publish.',
    10000,
    0,
    1000000,
    'patterns',
  ),
  tls: z
    .strictObject({
      cert: file('PEM file of this node’s certificate for mutual TLS between peers. Empty: no TLS.'),
      key: file('PEM file of the private key of `cert`.'),
      ca: file('PEM file of the authority that signed all nodes’ certificates.'),
    })
    .prefault({}),
});

const api = z.strictObject({
  bind: text('Address of the HTTP, WebSocket and gRPC API.', '127.0.0.1'),
  port: port('Port of the HTTP and WebSocket API, the console, metrics and health.', 6789),
  grpcPort: port('Port of the gRPC API.', 6787),
  insecure: flag('Allow a non-loopback bind without users. Whoever reaches the port may then publish.', false),
  maxBodyBytes: integer('Largest request body or WebSocket API message.', 1048576, 1024, 134217728, 'bytes'),
  maxConnections: integer('WebSocket API connections at the same time.', 10000, 1, 1000000, 'connections'),
  maxBackpressureBytes: integer(
    'Bound of what waits for one back end; beyond it the back end is closed.',
    16777216,
    65536,
    1073741824,
    'bytes',
  ),
  requestsPerSecond: integer(
    'Calls per second and user (or address, without users); 0 is no limit. Beyond it: error 104 with retry-after.',
    0,
    0,
    10000000,
    'calls/s',
  ),
  connectionRequestsPerSecond: integer(
    'Calls per second on one WebSocket or gRPC stream; 0 is no limit.',
    0,
    0,
    10000000,
    'calls/s',
  ),
  origins: z
    .array(z.string().regex(/^https?:\/\/[^\s/]+$/, 'an origin such as https://console.example.com'))
    .default([])
    .meta({
      doc: 'Other origins whose web pages may call the API from a browser (CORS). Empty: only the console of the node itself.',
    }),
  tls: serverTls('back ends'),
});

const user = z.strictObject({
  username: z
    .string()
    .min(1)
    .max(128)
    .regex(/^[^:\s]+$/, 'a name without white space and ":"')
    .meta({ doc: 'Name for HTTP Basic, Bearer and gRPC metadata.' }),
  password: secret('The password in plain text. Better: passwordHash.'),
  passwordFile: file(SECRET_FILE),
  passwordHash: z
    .string()
    .default('')
    .meta({ doc: 'scrypt hash of the password, as printed by `lumesh config hash`.', secret: true }),
  roles: z
    .array(z.enum(['read', 'write']))
    .default(['read', 'write'])
    .meta({ doc: 'read: look and consume; write: publish, send, call.' }),
  host: text('Pattern of the addresses this user may come from, such as 172.16.*.* or 2001:db8:*', '*'),
});

const access = z.strictObject({
  users: z.array(user).default([]).meta({ doc: 'Who may use the API. Empty: everybody who reaches it.', live: true }),
  metrics: z
    .enum(['open', 'users'])
    .default('open')
    .meta({ doc: 'Whether /metrics and health need a login.', live: true }),
});

const option = z.strictObject({
  name: z.string().min(1).meta({ doc: 'Name for mix.server.option.' }),
  value: z.union([z.string(), z.number(), z.boolean()]).meta({ doc: 'What mix.server.option(name) returns.' }),
});

const server = z.strictObject({
  port: port('Port of the clients.', 6790),
  bind: text('Address of the clients’ port.', '0.0.0.0'),
  protocol: z
    .enum(['websocket', 'socket'])
    .default('websocket')
    .meta({ doc: 'websocket, or socket: raw TCP with a protocol written in Lua.' }),
  entry: z
    .string()
    .min(1)
    .default('lua/entry.websocket.lua')
    .meta({ doc: 'Lua file with the callbacks, relative to the configuration file’s folder.' }),
  options: z
    .array(option)
    .default([{ name: 'path', value: '/' }])
    .meta({ doc: 'Read by mix.server.option; `path` is the URL path served.' }),
  idleTimeoutSeconds: integer(
    'No byte from the client for so long closes it; pings are answered, and sent when half of it is over. 0: never.',
    60,
    0,
    86400,
    's',
  ),
  maxPayloadBytes: integer(
    'Largest message of a client; a larger one closes it with 1009.',
    65536,
    16,
    134217728,
    'bytes',
  ),
  maxBackpressureBytes: integer(
    'Bound of what waits for one client. Raising it costs memory, lowering it loses slow clients earlier.',
    1048576,
    1024,
    1073741824,
    'bytes',
  ),
  onSlow: z
    .enum(['close', 'drop'])
    .default('close')
    .meta({ doc: 'A client over its bound is closed with 1013, or its messages are dropped and counted.' }),
  maxConnections: integer('Connections at the same time; one more is refused.', 100000, 1, 10000000, 'connections'),
  maxSubscriptions: integer(
    'Channels and patterns one connection may be subscribed to.',
    10000,
    1,
    10000000,
    'subscriptions',
  ),
  tls: serverTls('clients'),
});

const redis = z.strictObject({
  name: z.string().min(1).default('default').meta({ doc: 'Name for mix.redis.connection.' }),
  addr: z
    .string()
    .regex(/^[^\s]+:[0-9]{1,5}$/, 'host:port')
    .default('localhost:6379')
    .meta({ doc: 'host:port of the Redis server.' }),
  username: text('User of Redis ACLs.', ''),
  password: secret('Password of the Redis user.'),
  passwordFile: file(SECRET_FILE),
  db: integer('Database number.', 0, 0, 65535),
  poolSize: integer('Connections kept open.', 4, 1, 1024, 'connections'),
  timeoutSeconds: integer(
    'A command without an answer for so long fails; longer than any blocking command that scripts use. 0: never.',
    30,
    0,
    86400,
    's',
  ),
  maxPending: integer('Commands that may wait for an answer; one more fails at once.', 10000, 1, 10000000, 'commands'),
});

const http = z.strictObject({
  connections: integer('Connections kept to one origin.', 64, 1, 10000, 'connections'),
  maxPending: integer('Requests of one VM under way or waiting; one more fails at once.', 1000, 1, 1000000, 'requests'),
  maxResponseBytes: integer('Largest body of a response; a larger one fails.', 4194304, 1024, 268435456, 'bytes'),
});

const lua = z.strictObject({
  cpuLimitMs: integer('A callback that runs so long without waiting is stopped.', 1000, 1, 600000, 'ms'),
  memoryLimitMb: integer('Memory of one VM; a callback that takes it further is stopped.', 256, 4, 2048, 'MB'),
  reloadSeconds: z
    .number()
    .min(0)
    .max(3600)
    .default(2)
    .meta({ doc: 'Changed scripts are noticed within so long; 0: never.', unit: 's' }),
  pendingMessages: integer(
    'Messages of one connection that may queue while its callback waits; beyond it reading from that client pauses.',
    1000,
    1,
    1000000,
    'messages',
  ),
  waitingCallbacks: integer(
    'Callbacks that may wait at once in one VM; one more fails with an error.',
    100000,
    1,
    10000000,
    'callbacks',
  ),
  queue: z
    .strictObject({
      topicSize: integer('Values one topic of mix.queue keeps.', 2000, 1, 10000000, 'values'),
      maxTopics: integer('Topics of mix.queue on this node.', 100, 1, 1000000, 'topics'),
    })
    .prefault({}),
  redis: z.array(redis).default([]).meta({ doc: 'Redis servers for mix.redis.' }),
  http: http.prefault({}),
});

/** The whole configuration of a node. */
export const schema = z.strictObject({
  node: z
    .strictObject({
      id: z
        .string()
        .max(128)
        .regex(/^[^\s]*$/, 'a name without white space')
        .default('')
        .meta({ doc: 'Name of the node, stable across restarts. Empty: host name and port.' }),
    })
    .prefault({}),
  cluster: cluster.prefault({}),
  api: api.prefault({}),
  access: access.prefault({}),
  servers: z
    .array(server)
    .default(() => [server.parse({})])
    .meta({ doc: 'Ports for clients, each with its own script.' }),
  lua: lua.prefault({}),
  drainSeconds: z
    .number()
    .min(0)
    .max(3600)
    .default(10)
    .meta({ doc: 'Time over which clients are closed when the node leaves.', unit: 's', live: true }),
  logging: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .default('info')
        .meta({ doc: 'Lines below it are not written.', live: true }),
      format: z
        .enum(['json', 'pretty'])
        .default('json')
        .meta({ doc: 'json for machines, pretty for people.', live: true }),
    })
    .prefault({}),
});

export type Config = z.infer<typeof schema>;
export type ClusterConfig = Config['cluster'];
export type ApiConfig = Config['api'];
export type AccessConfig = Config['access'];
export type UserConfig = AccessConfig['users'][number];
export type ServerConfig = Config['servers'][number];
export type LuaConfig = Config['lua'];
export type RedisConfig = LuaConfig['redis'][number];
export type HttpClientConfig = LuaConfig['http'];
