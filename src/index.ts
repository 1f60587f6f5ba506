/**
 * lumesh as a library: a node of the mesh inside somebody's own process.
 *
 *   const node = await createNode({ cluster: { seeds: ['10.0.0.1:6788'] }, servers: [] });
 *   const subscription = await node.subscribe('user:1001', (message) => console.log(message.text()));
 *   const { success, fail } = await node.publish('user:1001', 'Hello,World!');
 *   await node.close();
 */
import { type DeepPartial, loadConfig } from './config/load.js';
import { largestPayload } from './config/rules.js';
import type { Config } from './config/schema.js';
import { channelProblem } from './core/channel.js';
import type { Message, PublishResult } from './core/message.js';
import { CHANNELS, PATTERNS, type Subscribable } from './core/subscribable.js';
import { MeshError } from './errors.js';
import { type Addresses, createNodeFrom, type RunningNode } from './node.js';

export { ConfigError } from './config/problems.js';
export type { Config } from './config/schema.js';
export type { PublishResult } from './core/message.js';
export { MeshError } from './errors.js';
export { type Addresses, StartError } from './node.js';

/** What a subscriber gets. */
export interface Received {
  readonly channel: string;
  /** The bytes as they were published. Shared with other subscribers: copy before you change them. */
  readonly data: Uint8Array;
  readonly binary: boolean;
  /** The bytes as UTF-8 text. */
  text(): string;
}

export interface Subscription {
  /** The channel, or the pattern. */
  readonly channel: string;
  /** Ends it; nothing is received after the call. */
  close(): void;
}

export interface LumeshNode {
  readonly addresses: Addresses;
  /**
   * Publishes to everybody on a channel, on all nodes. Text is sent as a text message, bytes as a binary one.
   * Fulfilled with the counts; rejected with MeshError when the channel or the payload cannot be, or the node cannot accept it now.
   */
  publish(channel: string, payload: string | Uint8Array): Promise<PublishResult>;
  /** Sends to one client by its id, on whichever node it is. Rejected with MeshError `send_failed` when it is gone. */
  send(clientId: string, payload: string | Uint8Array): Promise<void>;
  /**
   * Calls `received` for each message on a channel. Fulfilled once the whole mesh knows: a publish that starts afterwards on any
   * node arrives. Rejected with MeshError when the mesh did not acknowledge it in time.
   */
  subscribe(channel: string, received: (message: Received) => void): Promise<Subscription>;
  /** The same for every channel that matches a pattern: in `room.*`, `*` stands for any run of characters, also for none. */
  psubscribe(pattern: string, received: (message: Received) => void): Promise<Subscription>;
  /** Leaves the mesh politely. */
  close(): Promise<void>;
}

/**
 * Starts a node and waits until it is ready. Settings are those of docs/configuration.md, all optional.
 * Throws ConfigError with every problem of the settings, StartError when a port or script cannot be used.
 */
export async function createNode(settings: DeepPartial<Config> = {}): Promise<LumeshNode> {
  const loaded = loadConfig({ settings });
  const running = await createNodeFrom(loaded);
  await running.ready;
  return wrap(running, largestPayload(loaded.config));
}

function wrap(running: RunningNode, maxBytes: number): LumeshNode {
  const { mesh, reach } = running;
  return {
    addresses: running.addresses,
    publish: (channel, payload) =>
      new Promise((resolve, reject) => {
        const { bytes, binary } = bytesOf(payload, maxBytes);
        const refused = channelProblem(channel);
        if (refused) return reject(new MeshError('invalid_argument', refused));
        const problem = mesh.publish(channel, bytes, binary, resolve);
        if (problem) reject(new MeshError(mesh.notReadyReasons().length > 0 ? 'not_ready' : 'overloaded', problem));
      }),
    send: (clientId, payload) =>
      new Promise((resolve, reject) => {
        const { bytes, binary } = bytesOf(payload, maxBytes);
        reach.send(clientId, bytes, binary, (outcome) => {
          if (outcome.ok) resolve();
          else reject(new MeshError('send_failed', outcome.text));
        });
      }),
    subscribe: (channel, received) => subscribe(running, CHANNELS, channel, received),
    psubscribe: (pattern, received) => subscribe(running, PATTERNS, pattern, received),
    close: () => running.close(),
  };
}

function subscribe(
  { mesh }: RunningNode,
  what: Subscribable,
  text: string,
  received: (message: Received) => void,
): Promise<Subscription> {
  return new Promise((resolve, reject) => {
    const problem = what.problem(text);
    if (problem !== null) return reject(new MeshError('invalid_argument', problem));
    const name = what.name(text);
    const subscriber = {
      id: mesh.newClientId(),
      take(message: Message): boolean {
        const { data, binary } = message;
        try {
          received({ channel: message.channel, data, binary, text: () => decoder.decode(data) });
        } catch (error) {
          // The program's own bug, and its process to end: but not in the middle of a delivery to others.
          queueMicrotask(() => {
            throw error;
          });
        }
        return true;
      },
    };
    mesh.subscribe(subscriber, name, (outcome) => {
      if (outcome.ok) return resolve({ channel: text, close: () => void mesh.unsubscribe(subscriber, name) });
      mesh.unsubscribe(subscriber, name);
      reject(new MeshError('not_ready', `the mesh did not acknowledge the subscribe: ${outcome.reason}`));
    });
  });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** Bytes are copied: the caller may go on to use its own. Throws a MeshError for what no node would take. */
function bytesOf(payload: unknown, maxBytes: number): { bytes: Uint8Array; binary: boolean } {
  if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) {
    throw new MeshError('invalid_argument', `a payload must be a string or a Uint8Array, not ${typeof payload}`);
  }
  // Not slice: a Buffer's shares its memory.
  const bytes = typeof payload === 'string' ? encoder.encode(payload) : new Uint8Array(payload);
  if (bytes.length > maxBytes) {
    const text = `a payload may have at most ${maxBytes} bytes (cluster.maxFrameBytes), not ${bytes.length}`;
    throw new MeshError('too_large', text);
  }
  return { bytes, binary: typeof payload !== 'string' };
}
