/** Starts an API on free ports for a test, with a fake mesh behind it, and speaks to it as a back end would. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { Test } from 'tap';
import { WebSocket } from 'ws';
import { type Api, type ApiOptions, createApi } from '../../src/api/api.js';
import { Queue } from '../../src/api/queue.js';
import { type ApiConfig, schema } from '../../src/config/schema.js';
import { FakeBackplane } from './fake-backplane.js';

export interface UserSetting {
  readonly username: string;
  readonly password?: string;
  readonly passwordHash?: string;
  readonly roles?: readonly string[];
  readonly host?: string;
}

export interface LiveOptions {
  readonly api?: Partial<ApiConfig>;
  readonly users?: readonly UserSetting[];
  readonly metrics?: 'open' | 'users';
  readonly queue?: { topicSize: number; maxTopics: number };
  readonly asset?: ApiOptions['asset'];
  readonly now?: () => number;
}

export interface Live {
  readonly api: Api;
  readonly mesh: FakeBackplane;
  readonly queue: Queue;
  readonly url: string;
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Response>;
  /** Status and body text of a POST. */
  answer(path: string, body: unknown, headers?: Record<string, string>): Promise<[number, string]>;
  socket(headers?: Record<string, string>): Promise<Client>;
}

export function accessOf(options: LiveOptions) {
  return schema.shape.access.parse({ users: options.users ?? [], metrics: options.metrics ?? 'open' });
}

export async function live(t: Test, options: LiveOptions = {}): Promise<Live> {
  const mesh = new FakeBackplane();
  const clock = { now: options.now ?? (() => performance.now()), endOfTurn: (fn: () => void) => void setImmediate(fn) };
  const queue = new Queue(mesh.nodeId, options.queue ?? { topicSize: 2000, maxTopics: 100 }, clock, mesh.meter);
  const config = schema.shape.api.parse({ port: 0, grpcPort: 0, ...options.api });
  const access = accessOf(options);
  const api = await createApi({ api: config, access, backplane: mesh, queue, asset: options.asset, now: options.now });
  await api.listen();
  t.teardown(() => api.close());
  const url = `http${config.tls.cert === '' ? '' : 's'}://127.0.0.1:${api.httpPort}`;
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(url + path, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body), headers });
  return {
    api,
    mesh,
    queue,
    url,
    post,
    async answer(path, body, headers) {
      const response = await post(path, body, headers);
      return [response.status, await response.text()];
    },
    socket: (headers) => Client.open(`${url.replace('http', 'ws')}/ws/v1`, headers),
  };
}

/** A WebSocket client that hands out what arrived, one by one, in order. */
export class Client {
  private readonly arrived: string[] = [];
  private waiting: ((text: string) => void) | null = null;
  readonly closed: Promise<number>;

  private constructor(readonly ws: WebSocket) {
    this.closed = new Promise((resolve) => ws.once('close', (code) => resolve(code)));
    ws.on('message', (bytes) => {
      const text = String(bytes);
      if (this.waiting === null) this.arrived.push(text);
      else {
        const resolve = this.waiting;
        this.waiting = null;
        resolve(text);
      }
    });
    ws.on('error', () => {});
  }

  static async open(url: string, headers: Record<string, string> = {}): Promise<Client> {
    const ws = new WebSocket(url, { headers, rejectUnauthorized: false });
    const client = new Client(ws);
    await once(ws, 'open');
    return client;
  }

  send(value: unknown): void {
    this.ws.send(typeof value === 'string' ? value : JSON.stringify(value));
  }

  next(): Promise<string> {
    const text = this.arrived.shift();
    if (text !== undefined) return Promise.resolve(text);
    return new Promise((resolve) => {
      this.waiting = resolve;
    });
  }

  async ask(value: unknown): Promise<string> {
    this.send(value);
    return this.next();
  }
}

/** Writes bytes to a port and returns everything that came back until it was closed or `enough` matches. */
export function raw(port: number, bytes: string | Uint8Array, enough: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      if (enough.test(text)) socket.destroy();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', () => {});
    socket.write(bytes);
  });
}
