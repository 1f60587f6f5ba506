/**
 * Requests of scripts to other servers, through undici: one Agent per script keeps connections open; redirects, cookies on the
 * way, one time limit for all of it, and a bound on the body. Names and meaning as scripts know them (docs/lua.md).
 */
import { Agent, request } from 'undici';
import type { HttpClientConfig } from '../../config/schema.js';
import type { Meter } from '../../core/ports.js';
import { Refused } from './refused.js';
import { percentDecode } from './text.js';

const MAX_REDIRECTS = 10;
const DEFAULT_TIMEOUT_MS = 10_000;
/** Bound of the bodies of requests under way. */
const MAX_PENDING_BYTES = 64 * 1024 * 1024;
/** setTimeout's own bound. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export interface HttpRequest {
  readonly method: string;
  readonly url: string;
  readonly query?: string;
  readonly cookies?: ReadonlyMap<string, string>;
  readonly headers?: ReadonlyMap<string, string>;
  readonly body?: Buffer;
  readonly timeoutMs?: number;
  readonly auth?: { readonly username: string; readonly password: string };
}

export interface HttpResponse {
  readonly status: number;
  /** Lower-case names; several values of one name are joined by ", ". */
  readonly headers: ReadonlyMap<string, string>;
  /** Set by the server, on the way included. */
  readonly cookies: ReadonlyMap<string, string>;
  readonly body: Buffer;
  /** Where the answer came from, after redirects. */
  readonly url: string;
}

/** One hop of a request that may be redirected. */
interface Hop {
  method: string;
  url: URL;
  body: Buffer | undefined;
  /** Headers of the script; login and cookies among them go to the first origin only. */
  headers: Map<string, string>;
  cookies: Map<string, string>;
}

export class HttpClient {
  private readonly agent: Agent;
  private pending = 0;
  private pendingBytes = 0;

  constructor(
    private readonly config: HttpClientConfig,
    private readonly meter: Meter,
  ) {
    this.agent = new Agent({
      connections: config.connections,
      // One time limit covers the whole request.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
  }

  async request(asked: HttpRequest): Promise<HttpResponse | Refused> {
    const first = firstHop(asked);
    if (first instanceof Refused) return first;
    if (this.pending >= this.config.maxPending) {
      return this.full(`more than ${this.config.maxPending} requests are under way`);
    }
    const size = asked.body?.length ?? 0;
    if (this.pendingBytes + size > MAX_PENDING_BYTES) {
      return this.full(`bodies of more than ${MAX_PENDING_BYTES} bytes are under way`);
    }
    const timeoutMs = Math.min(Math.max(1, asked.timeoutMs ?? DEFAULT_TIMEOUT_MS), LONGEST_TIMEOUT_MS);
    const signal = AbortSignal.timeout(timeoutMs);
    this.pending++;
    this.pendingBytes += size;
    try {
      return await this.follow(first, signal);
    } catch (error) {
      if (signal.aborted) return new Refused(`timeout: ${asked.method} ${first.url.origin} took over ${timeoutMs} ms`);
      return new Refused(`${asked.method} ${first.url.origin}: ${reason(error as Error)}`);
    } finally {
      this.pending--;
      this.pendingBytes -= size;
    }
  }

  /** Breaks off whatever is under way. */
  close(): void {
    void this.agent.destroy();
  }

  private full(problem: string): Refused {
    this.meter.count('drops_total', 1, 'http_full');
    return new Refused(problem);
  }

  private async follow(hop: Hop, signal: AbortSignal): Promise<HttpResponse | Refused> {
    const received = new Map<string, string>();
    for (let hops = 0; ; hops++) {
      const answer = await request(hop.url, {
        dispatcher: this.agent,
        method: hop.method as 'GET',
        headers: [...hop.headers, ...cookieHeader(hop.cookies)].flat(),
        body: hop.body ?? null,
        signal,
      });
      const headers = flatten(answer.headers);
      for (const [name, value] of setCookies(answer.headers['set-cookie'])) {
        received.set(name, value);
        hop.cookies.set(name, value);
      }
      const location = headers.get('location');
      if (![301, 302, 303, 307, 308].includes(answer.statusCode) || location === undefined) {
        const body = await this.read(answer.body);
        if (body instanceof Refused) return body;
        return { status: answer.statusCode, headers, cookies: received, body, url: hop.url.href };
      }
      await answer.body.dump();
      if (hops === MAX_REDIRECTS) return new Refused(`stopped after ${MAX_REDIRECTS} redirects`);
      const problem = redirect(hop, answer.statusCode, location);
      if (problem !== null) return problem;
    }
  }

  private async read(body: AsyncIterable<Buffer>): Promise<Buffer | Refused> {
    const chunks: Buffer[] = [];
    let size = 0;
    for await (const chunk of body) {
      size += chunk.length;
      if (size > this.config.maxResponseBytes) {
        return new Refused(
          `the response has more than ${this.config.maxResponseBytes} bytes (lua.http.maxResponseBytes)`,
        );
      }
      chunks.push(chunk);
    }
    return Buffer.concat(chunks, size);
  }
}

function firstHop(asked: HttpRequest): Hop | Refused {
  const url = httpUrl(asked.url);
  if (url instanceof Refused) return url;
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(asked.method))
    return new Refused(`"${asked.method}" is not an HTTP method`);
  if (asked.query !== undefined && asked.query !== '') {
    url.search = url.search === '' ? asked.query : `${url.search}&${asked.query}`;
  }
  const headers = new Map<string, string>();
  for (const [name, value] of asked.headers ?? []) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name)) return new Refused(`${JSON.stringify(name)} is not a header name`);
    if (/[\r\n\0]/.test(value)) return new Refused(`the value of header ${name} contains a line break or NUL`);
    headers.set(name.toLowerCase(), value);
  }
  for (const [name, value] of asked.cookies ?? []) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) || /[\r\n\0;]/.test(value)) {
      return new Refused(`${JSON.stringify(`${name}=${value}`)} is not a cookie`);
    }
  }
  const login = asked.auth ?? userInfo(url);
  if (login !== null && !headers.has('authorization')) {
    const text = Buffer.from(`${login.username}:${login.password}`, 'latin1').toString('base64');
    headers.set('authorization', `Basic ${text}`);
  }
  url.username = '';
  url.password = '';
  return { method: asked.method, url, body: asked.body, headers, cookies: new Map(asked.cookies ?? []) };
}

/** Takes the hop where the server sends it. What browsers and other clients do: 303 and a redirected POST become GET. */
function redirect(hop: Hop, status: number, location: string): Refused | null {
  const url = httpUrl(location, hop.url);
  if (url instanceof Refused) return new Refused(`redirected to a place that is none: ${url.error}`);
  if ((status === 303 && hop.method !== 'HEAD') || (status < 303 && hop.method === 'POST')) {
    hop.method = 'GET';
    hop.body = undefined;
    for (const name of ['content-type', 'content-length', 'content-encoding', 'transfer-encoding']) {
      hop.headers.delete(name);
    }
  }
  if (url.origin !== hop.url.origin) {
    for (const name of ['authorization', 'cookie', 'proxy-authorization', 'host']) hop.headers.delete(name);
    hop.cookies.clear();
  }
  hop.url = url;
  return null;
}

function httpUrl(text: string, base?: URL): URL | Refused {
  try {
    const url = new URL(text, base);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
    return new Refused(`"${url.protocol.slice(0, -1)}" is not http or https`);
  } catch {
    return new Refused(`${JSON.stringify(text)} is not an absolute http or https URL`);
  }
}

function userInfo(url: URL): { username: string; password: string } | null {
  if (url.username === '' && url.password === '') return null;
  return { username: percentDecode(url.username, false), password: percentDecode(url.password, false) };
}

function cookieHeader(cookies: ReadonlyMap<string, string>): [string, string][] {
  if (cookies.size === 0) return [];
  return [['cookie', [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')]];
}

/** Name and value of each Set-Cookie; attributes are the server's and a browser's business. */
function setCookies(header: string | string[] | undefined): [string, string][] {
  const lines = header === undefined ? [] : typeof header === 'string' ? [header] : header;
  return lines.flatMap((line): [string, string][] => {
    const match = /^\s*([^=;\s]+)\s*=\s*([^;]*)/.exec(line);
    return match === null ? [] : [[match[1]!, match[2]!.trim()]];
  });
}

function flatten(headers: Readonly<Record<string, string | string[] | undefined>>): Map<string, string> {
  const flat = new Map<string, string>();
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) flat.set(name.toLowerCase(), typeof value === 'string' ? value : value.join(', '));
  }
  return flat;
}

function reason(error: Error): string {
  const code = (error as NodeJS.ErrnoException).code;
  const inner = (error as { errors?: readonly Error[] }).errors?.[0];
  return error.message || inner?.message || code || error.name;
}

/** `timeout` of a script: seconds, or "1h" "30s" "500ms" "1m30s", as Go writes durations. Null: neither. */
export function durationMs(value: number | string): number | null {
  if (typeof value === 'number') return Number.isFinite(value) && value > 0 ? value * 1000 : null;
  if (/^[0-9]+(\.[0-9]+)?$/.test(value)) return durationMs(Number(value));
  if (!/^([0-9]+(\.[0-9]+)?(ms|us|h|m|s))+$/.test(value)) return null;
  let total = 0;
  for (const [, amount, unit] of value.matchAll(/([0-9.]+)(ms|us|h|m|s)/g)) total += Number(amount) * UNITS_MS[unit!]!;
  return total > 0 ? total : null;
}
const UNITS_MS: Readonly<Record<string, number>> = { us: 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
