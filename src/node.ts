/**
 * One node: builds the parts from a configuration and connects them, starts them in order, and takes them down in order.
 * The only place that knows all parts; each of them knows only the roles that it asks for.
 *
 * Start: peers' port → mesh joins → scripts load → API listens → ready → clients' ports open.
 * Stop: readiness 503 → the mesh leaves, closing clients on the way (ROUTING rule 18) → API → peers' port.
 */
import { existsSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { logVerbosity, setLogVerbosity } from '@grpc/grpc-js';
import { type Api, createApi } from './api/api.js';
import { Queue } from './api/queue.js';
import type { Loaded } from './config/load.js';
import { brokenRules } from './config/rules.js';
import type { Config, ServerConfig } from './config/schema.js';
import { consoleAsset } from './console/page.js';
import { Mesh } from './core/mesh.js';
import type { Clock } from './core/ports.js';
import { answerAboutSelf, Reach, type SelfReport } from './core/reach.js';
import { MeshError } from './errors.js';
import { createGateway, type Gateway } from './gateway/gateway.js';
import { resolveSeeds } from './links/discovery.js';
import { createLinks, type GrpcLinks } from './links/links.js';
import { createBackplane } from './node/backplane.js';
import { showGauges } from './node/gauges.js';
import { createLocalConnections } from './node/local-connections.js';
import { createScriptHost } from './node/script-host.js';
import { createClock, createRandom } from './ops/clock.js';
import { createLog, type NodeLog } from './ops/log.js';
import { watchLoop } from './ops/loop.js';
import { createMetrics, type Metrics } from './ops/metrics.js';
import { version } from './ops/version.js';
import { createScript, type Script } from './scripting/script.js';

export interface Addresses {
  readonly id: string;
  readonly peers: string;
  readonly api: string;
  readonly grpc: string;
  /** One per configured server, once the node is ready. */
  readonly clients: readonly string[];
}

export interface RunningNode {
  readonly log: NodeLog;
  readonly mesh: Mesh;
  readonly reach: Reach;
  readonly addresses: Addresses;
  /** Fulfilled when the node is ready and its clients' ports are open; rejected with StartError, and the node closed, when they cannot be opened. */
  readonly ready: Promise<void>;
  /** Fulfilled when the node has been closed. */
  readonly closed: Promise<void>;
  /** Takes over the live settings; the log names those that changed and need a restart. */
  reload(loaded: Loaded): void;
  /** Leaves the mesh politely, closing clients over drainSeconds. Safe to call twice. */
  close(): Promise<void>;
}

/** A node that cannot start where it is: a port that is taken, a script that is missing or does not parse. */
export class StartError extends Error {
  override readonly name = 'StartError';
}

export interface NodeOptions {
  /** Share the client and API ports with other nodes on this machine (SO_REUSEPORT). */
  readonly share?: boolean;
  /** Where log lines go; the configuration's `logging` when left out. */
  readonly log?: NodeLog;
}

// grpc-js writes lines of its own to standard error; what they tell is in our log, with names.
setLogVerbosity(logVerbosity.NONE);

/** How often a node that is alone resolves its seeds' names again: containers move. */
const SEEDS_AGAIN_MS = 5000;
/** How often the event loop's worst delay is looked at. */
const LOOP_WATCH_MS = 1000;

/** Builds a node and begins to join. Throws StartError, with everything taken down again, when a part cannot start. */
export async function createNodeFrom(loaded: Loaded, options: NodeOptions = {}): Promise<RunningNode> {
  const undo: Undo = [];
  try {
    const parts = await build(loaded, options, undo);
    return await run(parts);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    if (error instanceof MeshError || isSystemError(error)) throw new StartError((error as Error).message);
    throw error;
  }
}

/** What has to be taken down again when the start fails, in the order in which it was built. */
type Undo = (() => unknown)[];

/** The mesh and what carries it. */
interface Core {
  readonly config: Config;
  readonly log: NodeLog;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly links: GrpcLinks;
  readonly gateway: Gateway;
  readonly mesh: Mesh;
}

interface Parts extends Core {
  readonly reach: Reach;
  readonly scripts: readonly Script[];
  readonly api: Api;
  /** Set while the node leaves. */
  readonly state: { leaving: boolean };
}

/** Makes every part and connects it to the roles it asks for. Nothing is joined and no client is let in yet. */
async function build(loaded: Loaded, options: NodeOptions, undo: Undo): Promise<Parts> {
  const core = await buildCore(loaded.config, options, undo);
  const { config, mesh, gateway, clock, metrics } = core;
  const scriptOf = new Map<ServerConfig, Script>();
  const local = createLocalConnections({
    mesh,
    meter: metrics,
    connection: (clientId) => gateway.connection(clientId),
    scriptOf: (connection) => scriptOf.get(gateway.serverOf(connection)) as Script,
    maxSubscriptions: (connection) => gateway.serverOf(connection).maxSubscriptions,
  });
  const reach = new Reach(mesh, local);
  const queue = new Queue(mesh.nodeId, config.lua.queue, clock, metrics);
  await loadScripts(core, { reach, queue, folder: loaded.folder, scriptOf, undo });
  const state = { leaving: false };
  const parts = { ...core, reach, scripts: [...scriptOf.values()], state };
  const api = await makeApi(parts, queue, options.share ?? false);
  undo.push(() => api.close());
  await api.listen();
  mesh.apiAt(`${reachable(config.api.bind)}:${api.httpPort}`);
  return { ...parts, api };
}

async function buildCore(config: Config, options: NodeOptions, undo: Undo): Promise<Core> {
  const { cluster } = config;
  const nodeId = config.node.id || `${hostname()}:${cluster.port}`;
  const log = options.log ?? createLog(config.logging, { node: nodeId });
  const metrics = createMetrics();
  const limits = { maxFrameBytes: cluster.maxFrameBytes };
  const links = await createLinks({ ...cluster, clusterName: cluster.name, nodeId, limits }, log, metrics);
  undo.push(() => links.closeAll());
  const clock = createClock();
  const random = createRandom();
  const gateway = createGateway({
    clock,
    random,
    log,
    meter: metrics,
    newClientId: () => mesh.newClientId(),
    unsubscribe: (subscriber) => mesh.unsubscribeAll(subscriber),
    share: options.share ?? false,
  });
  undo.push(() => gateway.close());
  const { profile, ring, queueBytes, queueFrames, maxPatterns } = cluster;
  const mesh: Mesh = new Mesh(
    {
      node: { nodeId, address: advertised(config, links.address()), api: '', version },
      tuning: { profile, ...ring, queueBytes, queueFrames, maxPatterns },
    },
    { clock, random, links, sockets: gateway.sockets, log, meter: metrics },
  );
  links.attach(mesh);
  undo.push(() => mesh.stop());
  return { config, log, metrics, clock, links, gateway, mesh };
}

/** One VM per configured server. A script that is missing or does not parse ends the start. */
async function loadScripts(
  { config, mesh, gateway, log, metrics }: Core,
  into: {
    readonly reach: Reach;
    readonly queue: Queue;
    readonly folder: string;
    readonly scriptOf: Map<ServerConfig, Script>;
    readonly undo: Undo;
  },
): Promise<void> {
  for (const server of config.servers) {
    const host = createScriptHost({
      mesh,
      reach: into.reach,
      log,
      meter: metrics,
      maxSubscriptions: server.maxSubscriptions,
      connection: (clientId) => gateway.connection(clientId),
      push: (topic, clientId, json) => into.queue.push(topic, clientId, json),
    });
    const script = await createScript({ ...config.lua, ...server, entry: entryFile(server.entry, into.folder) }, host);
    into.undo.push(() => script.close());
    into.scriptOf.set(server, script);
  }
}

function makeApi(parts: Omit<Parts, 'api'>, queue: Queue, sharePort: boolean): Promise<Api> {
  const { config, mesh, gateway, reach, log, metrics, scripts, state } = parts;
  const self = (): SelfReport => ({ connections: gateway.count(), ...subscriptionsOf(mesh) });
  answerAboutSelf(mesh, self, (channel) => mesh.explain(channel));
  const backplane = createBackplane({
    mesh,
    reach,
    log,
    meter: metrics,
    version,
    self,
    reasons: () => reasonsOf(state, scripts),
    metrics: () => metrics.text(),
  });
  return createApi({
    api: config.api,
    access: config.access,
    backplane,
    queue,
    asset: consoleAsset,
    sharePort,
  });
}

/** Starts joining, and gives the node's owner what to hold it by. */
async function run(parts: Parts): Promise<RunningNode> {
  const { config, log, mesh, links, gateway, scripts, api, state } = parts;
  const clients: string[] = [];
  const addresses: Addresses = {
    id: mesh.nodeId,
    peers: mesh.self().address,
    api: `${reachable(config.api.bind)}:${api.httpPort}`,
    grpc: `${reachable(config.api.bind)}:${api.grpcPort}`,
    clients,
  };
  showGauges(parts.metrics, { mesh, gateway, scripts, api });
  const stopLoopWatch = watchLoop(LOOP_WATCH_MS, (worstMs) => mesh.loopDelay(worstMs));
  mesh.onGap((channel) => {
    for (const script of scripts) script.gap(channel);
  });

  const seeds = await resolveSeeds(config.cluster.seeds, log);
  const ready = new Promise<void>((resolve) => mesh.start(seeds, resolve))
    .then(() => openClients(parts, clients))
    .catch(async (error) => {
      await node.close();
      throw error;
    });
  // Whoever waits for `ready` sees its failure; nobody need wait.
  ready.catch(() => undefined);
  const again = setInterval(() => void lookAgain(parts), SEEDS_AGAIN_MS);

  let { drainSeconds } = config;
  let end: (() => void) | undefined;
  const closed = new Promise<void>((resolve) => {
    end = resolve;
  });
  let closing: Promise<void> | undefined;

  const close = async (): Promise<void> => {
    state.leaving = true;
    log.info('leaving the mesh', { drainSeconds, connections: gateway.count() });
    api.drain();
    await new Promise<void>((resolve) =>
      mesh.leave((drained) => void gateway.drain(drainSeconds).then(drained), resolve),
    );
    clearInterval(again);
    stopLoopWatch();
    gateway.close();
    await api.close();
    mesh.stop();
    await links.closeAll();
    for (const script of scripts) script.close();
    log.info('left the mesh');
    end?.();
  };

  const node: RunningNode = {
    log,
    mesh,
    reach: parts.reach,
    addresses,
    ready,
    closed,
    reload(changed) {
      takeOver(parts, changed.config);
      drainSeconds = changed.config.drainSeconds;
    },
    close() {
      closing ??= close();
      return closing;
    },
  };
  return node;
}

/** Looks for the mesh once more, while nobody of it is known. */
async function lookAgain({ config, mesh, log }: Parts): Promise<void> {
  if (config.cluster.seeds.length > 0 && mesh.members().length === 0)
    mesh.addSeeds(await resolveSeeds(config.cluster.seeds, log));
}

/** Opens the clients' ports, now that the mesh takes their publishes. */
async function openClients({ config, gateway, scripts, log, mesh, api }: Parts, clients: string[]): Promise<void> {
  for (const [i, server] of config.servers.entries()) {
    const opened =
      server.protocol === 'websocket'
        ? gateway.listenWebSocket(server, scripts[i])
        : gateway.listenSocket(server, scripts[i]);
    const { port } = await opened.catch((error: Error) => {
      throw new StartError(`servers.${i}.port: ${error.message}`);
    });
    clients.push(`${reachable(server.bind)}:${port}`);
  }
  log.info('ready', { clients, api: api.httpPort, peers: mesh.self().address, members: mesh.members().length + 1 });
}

/** The groups of settings that the schema calls live. */
const LIVE = new Set(['access', 'drainSeconds', 'logging']);

/** Takes over what is live, and names what is not. */
function takeOver({ config, log, api, gateway, links }: Parts, after: Config): void {
  log.change(after.logging);
  // The rules were kept by `after` as a whole, but the ports are still where this process opened them.
  const broken = brokenRules({ ...config, access: after.access });
  if (broken.length === 0) api.reloadAccess(after.access);
  else log.error('the changed users are not taken over', { reason: broken[0].text });
  api.reloadTls();
  gateway.reloadTls();
  links.reloadCertificates();
  const waits = Object.keys(after).filter(
    (key) =>
      !LIVE.has(key) && JSON.stringify(config[key as keyof Config]) !== JSON.stringify(after[key as keyof Config]),
  );
  log.info('configuration taken over', waits.length > 0 ? { restartNeededFor: waits } : {});
}

/** Why the node is not ready, beside what the mesh itself says. */
function reasonsOf(state: { leaving: boolean }, scripts: readonly Script[]): string[] {
  const problems = scripts.map((script) => script.problem).filter((problem) => problem !== null);
  return state.leaving ? ['this node is leaving', ...problems] : problems;
}

function subscriptionsOf(mesh: Mesh): { channels: number; subscriptions: number } {
  const { channels, subscriptions } = mesh.counts();
  return { channels, subscriptions };
}

/** host:port that peers dial: as configured, else the bound address, else this machine's first address. */
function advertised({ cluster }: Config, bound: string): string {
  return cluster.advertise || `${reachable(cluster.bind)}:${bound.slice(bound.lastIndexOf(':') + 1)}`;
}

/** An address that others can use for one that is bound: 0.0.0.0 becomes this machine's first address that is not loopback. */
function reachable(bind: string): string {
  if (bind !== '0.0.0.0' && bind !== '::') return bind.includes(':') ? `[${bind}]` : bind;
  const own = Object.values(networkInterfaces()).flat();
  return own.find((address) => address?.family === 'IPv4' && !address.internal)?.address ?? '127.0.0.1';
}

/** A script's path: from the configuration's folder, or, for a default script that is not there, the one that ships with lumesh. */
function entryFile(entry: string, folder: string): string {
  const own = isAbsolute(entry) ? entry : resolve(folder, entry);
  if (existsSync(own) || isAbsolute(entry)) return own;
  const shipped = fileURLToPath(new URL(`../${entry}`, import.meta.url));
  return entry.startsWith('lua/') && existsSync(shipped) ? shipped : own;
}

function isSystemError(error: unknown): boolean {
  return error instanceof Error && 'syscall' in error;
}
