/** The client commands: publish, send, subscribe, members, channel. Each is one call to a running node. */
import { type ClientOptions, call, listen } from './client.js';
import { CommandError, EXIT } from './exit.js';
import { table } from './table.js';

type Print = (text: string) => void;

export async function publish(options: ClientOptions, channel: string, text: string, print: Print): Promise<void> {
  const result = (await call(options, '/v1/mesh/publish', { c: channel, d: text })) as {
    s: number;
    f: number;
    u?: string[];
  };
  print(`success ${result.s}, fail ${result.f}${result.u ? `, not confirmed by ${result.u.join(', ')}` : ''}`);
}

export async function send(options: ClientOptions, clientId: string, text: string, print: Print): Promise<void> {
  await call(options, '/v1/mesh/send', { c: clientId, d: text });
  print('sent');
}

/** Prints one line per message, `channel<TAB>data`, until the node closes the connection. `names`: channels, or patterns of them. */
export async function subscribe(
  options: ClientOptions & { patterns?: boolean },
  names: readonly string[],
  print: Print,
): Promise<void> {
  const request = options.patterns
    ? { m: 'mesh.psubscribe', p: { p: names } }
    : { m: 'mesh.subscribe', p: { c: names } };
  await listen(options, request, (event) => {
    const text = event.t === 'binary' ? `base64:${event.d}` : String(event.d);
    print(`${event.c}\t${text}`);
  });
  throw new CommandError(EXIT.unreachable, 'the node closed the connection');
}

interface Member {
  readonly nodeId: string;
  readonly state: string;
  readonly role: string;
  readonly address: string;
  readonly api: string;
  readonly version: string;
  readonly self: boolean;
  readonly connections: number | null;
  readonly channels: number | null;
  readonly link: {
    roundTripMs: number | null;
    lastCanaryMs: number | null;
    queueBytes: number;
    dropped: number;
    digest: string;
  } | null;
}

export async function members(options: ClientOptions & { json?: boolean }, print: Print): Promise<void> {
  const nodes = (await call(options, '/v1/nodes')) as readonly Member[];
  if (options.json) return print(JSON.stringify(nodes));
  const head = [
    'NODE',
    'STATE',
    'PEERS',
    'API',
    'CONNECTIONS',
    'CHANNELS',
    'ROUND TRIP',
    'LAST CANARY',
    'QUEUE',
    'DROPPED',
    'VIEW',
  ];
  const rows = nodes.map((node) => [
    node.self ? `${node.nodeId} (asked)` : node.nodeId,
    node.role === 'full' ? node.state : `${node.state}, ${node.role}`,
    node.address,
    node.api,
    String(node.connections ?? '?'),
    String(node.channels ?? '?'),
    milliseconds(node.link?.roundTripMs),
    milliseconds(node.link?.lastCanaryMs),
    node.link ? `${node.link.queueBytes} B` : '-',
    node.link ? String(node.link.dropped) : '-',
    node.link?.digest.slice(0, 8) ?? '-',
  ]);
  print(table(head, rows));
}

interface ChannelAnswer {
  readonly subscribers: Readonly<Record<string, number | null>>;
  readonly patterns: readonly string[];
  readonly owners: readonly string[];
  readonly route: readonly { nodeId: string; why: string }[];
  readonly lookup: { answeredBy: string | null } | null;
}

export async function channel(options: ClientOptions & { json?: boolean }, name: string, print: Print): Promise<void> {
  const report = (await call(options, `/v1/channels/${encodeURIComponent(name)}`)) as ChannelAnswer;
  if (options.json) return print(JSON.stringify(report));
  const nodes = new Set([...Object.keys(report.subscribers), ...report.owners, ...report.route.map((to) => to.nodeId)]);
  const rows = [...nodes]
    .sort()
    .map((node) => [
      node,
      String(report.subscribers[node] ?? (node in report.subscribers ? '?' : 0)),
      report.owners.includes(node) ? 'yes' : '',
      report.route.find((to) => to.nodeId === node)?.why ?? 'not sent to',
    ]);
  print(table(['NODE', 'SUBSCRIBERS', 'OWNER', 'A PUBLISH NOW'], rows));
  if (report.patterns.length > 0) print(`Subscribers of these patterns get it as well: ${report.patterns.join(' ')}`);
  if (report.lookup === null) return;
  const { answeredBy } = report.lookup;
  print(
    `A publish at the asked node first asks ${report.owners.join(', then ')}; ${answeredBy ?? 'none'} answered now.`,
  );
}

function milliseconds(value: number | null | undefined): string {
  return value === null || value === undefined ? '-' : `${value.toFixed(1)} ms`;
}
