/** Rules that look at more than one setting. Each names the setting to change and says what to set. */
import type { Config } from './schema.js';

interface BrokenRule {
  readonly path: string;
  readonly text: string;
}

/** Every broken rule of a configuration that fits the schema. */
export function brokenRules(config: Config): BrokenRule[] {
  const broken: BrokenRule[] = [];
  const say = (path: string, text: string) => broken.push({ path, text });
  peers(config, say);
  backEnds(config, say);
  clients(config, say);
  frames(config, say);
  ports(config, say);
  return broken;
}

type Say = (path: string, text: string) => void;

/** True for addresses that only this machine reaches. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || /^127(\.[0-9]{1,3}){3}$/.test(address);
}

function peers({ cluster }: Config, say: Say): void {
  const { cert, key, ca } = cluster.tls;
  const tls = [cert, key, ca].filter((file) => file !== '').length;
  if (tls !== 0 && tls !== 3) say('cluster.tls', 'mutual TLS needs all of cert, key and ca');
  if (!isLoopback(cluster.bind) && cluster.secret === '' && tls !== 3) {
    say(
      'cluster.secret',
      `"${cluster.bind}" is reachable from other machines: set cluster.secret (or secretFile), or cluster.tls`,
    );
  }
  if (cluster.advertise !== '' && !/^(\[[0-9a-fA-F:]+\]|[^\s:[\]]+):[0-9]{1,5}$/.test(cluster.advertise)) {
    say('cluster.advertise', `"${cluster.advertise}" is not host:port`);
  }
}

function backEnds({ api, access }: Config, say: Say): void {
  tlsPair('api.tls', api.tls, say);
  if (!isLoopback(api.bind) && access.users.length === 0 && !api.insecure) {
    say(
      'api.bind',
      `"${api.bind}" lets everybody publish: set access.users, or api.insecure: true where the network is trusted`,
    );
  }
  const names = new Set<string>();
  access.users.forEach((user, i) => {
    if (names.has(user.username)) say(`access.users.${i}.username`, `"${user.username}" is there twice`);
    names.add(user.username);
    const given = [user.password, user.passwordHash].filter((secret) => secret !== '').length;
    if (given !== 1) say(`access.users.${i}`, `"${user.username}" needs either password or passwordHash`);
  });
}

function clients({ servers, lua }: Config, say: Say): void {
  servers.forEach((server, i) => {
    tlsPair(`servers.${i}.tls`, server.tls, say);
    if (server.maxBackpressureBytes < server.maxPayloadBytes) {
      say(
        `servers.${i}.maxBackpressureBytes`,
        `must be at least maxPayloadBytes (${server.maxPayloadBytes}), or its largest message could never be sent`,
      );
    }
    const path = server.options.find((option) => option.name === 'path')?.value;
    if (path !== undefined && !String(path).startsWith('/'))
      say(`servers.${i}.options`, `the option "path" must start with "/": "${path}"`);
  });
  const names = lua.redis.map((server) => server.name);
  names.forEach((name, i) => {
    if (names.indexOf(name) !== i) say(`lua.redis.${i}.name`, `"${name}" is there twice`);
  });
}

/** What a frame holds beside a payload, with room to spare. */
const FRAME_ROOM = 4096;

/** Bytes of the largest payload that fits a frame. */
export function largestPayload({ cluster }: Config): number {
  return cluster.maxFrameBytes - FRAME_ROOM;
}

function frames(config: Config, say: Say): void {
  const { cluster, api, servers } = config;
  const must = (path: string, bytes: number) => {
    if (bytes <= largestPayload(config)) return;
    say(
      path,
      `must be at least ${FRAME_ROOM} under cluster.maxFrameBytes (${cluster.maxFrameBytes}), or raise that one`,
    );
  };
  must('api.maxBodyBytes', api.maxBodyBytes);
  for (const [i, server] of servers.entries()) must(`servers.${i}.maxPayloadBytes`, server.maxPayloadBytes);
}

function ports({ cluster, api, servers }: Config, say: Say): void {
  const taken = new Map<number, string>();
  const claim = (path: string, port: number) => {
    const owner = taken.get(port);
    if (port !== 0 && owner) say(path, `${port} is also ${owner}`);
    else taken.set(port, path);
  };
  claim('cluster.port', cluster.port);
  claim('api.port', api.port);
  claim('api.grpcPort', api.grpcPort);
  for (const [i, server] of servers.entries()) claim(`servers.${i}.port`, server.port);
}

function tlsPair(path: string, tls: { cert: string; key: string }, say: Say): void {
  if ((tls.cert === '') !== (tls.key === '')) say(path, 'TLS needs both cert and key');
}
