/** How client commands reach a running node: its HTTP API, and its WebSocket API for what arrives later. */
import { readFileSync } from 'node:fs';
import { fetch, WebSocket } from 'undici';
import { CommandError, EXIT } from './exit.js';

export interface ClientOptions {
  /** Base URL of the node's API, such as http://127.0.0.1:6789 */
  readonly api: string;
  /** name:password */
  readonly user?: string;
}

/** The `r` of an answer's envelope. Throws CommandError with what the node said, or that it could not be reached. */
export async function call(options: ClientOptions, path: string, body?: unknown): Promise<unknown> {
  const url = address(options, path);
  const headers: Record<string, string> = { ...login(options) };
  if (body !== undefined) headers['content-type'] = 'application/json';
  let answer: { E: { c: number; m: string } | null; r?: unknown };
  try {
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await response.text();
    if (!text.startsWith('{')) throw new Error(`its answer is no JSON: ${firstLine(text)}`);
    answer = JSON.parse(text) as typeof answer;
  } catch (error) {
    throw unreachable(options, error);
  }
  if (answer.E) throw new CommandError(EXIT.refused, `error ${answer.E.c}: ${answer.E.m}`);
  return answer.r;
}

/** Opens the WebSocket API, sends one call and hands every later event's `p` to `arrived`. Ends when the node closes. */
export async function listen(
  options: ClientOptions,
  request: { m: string; p: unknown },
  arrived: (params: Record<string, unknown>) => void,
): Promise<void> {
  const url = address(options, '/ws/v1');
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, { headers: login(options) });
  await new Promise<void>((resolve, reject) => {
    let opened = false;
    socket.onopen = () => {
      opened = true;
      socket.send(JSON.stringify({ i: 1, ...request }));
    };
    socket.onclose = () => {
      if (opened) resolve();
      else void whyNot(options).then(reject);
    };
    socket.onmessage = (event) => {
      const answer = JSON.parse(String(event.data)) as {
        E?: { c: number; m: string } | null;
        e?: string;
        p?: Record<string, unknown>;
      };
      if (answer.E) {
        reject(new CommandError(EXIT.refused, `error ${answer.E.c}: ${answer.E.m}`));
        socket.close();
      } else if (answer.e && answer.p) arrived(answer.p);
    };
  });
}

/** Why the WebSocket API could not be opened: the client keeps the reason to itself, an ordinary call meets the same one. */
async function whyNot(options: ClientOptions): Promise<CommandError> {
  try {
    await call(options, '/v1/version');
    return new CommandError(EXIT.refused, `${options.api} refused the WebSocket connection`);
  } catch (error) {
    return error as CommandError;
  }
}

/** The version of this package. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function address({ api }: ClientOptions, path: string): URL {
  if (!/^https?:\/\//.test(api) || !URL.canParse(api))
    throw new CommandError(EXIT.usage, `"${api}" is no address of an API; expected http://host:port`);
  return new URL(path, api);
}

function login(options: ClientOptions): Record<string, string> {
  const user = options.user ?? process.env.LUMESH_USER;
  return user ? { authorization: `Basic ${Buffer.from(user).toString('base64')}` } : {};
}

function unreachable(options: ClientOptions, error: unknown): CommandError {
  return new CommandError(
    EXIT.unreachable,
    `${options.api} cannot be reached (${causeOf(error)}); is a node running there? --api URL names another`,
  );
}

/** Enough of a server's answer to tell what it is. */
export function firstLine(text: string): string {
  return text.trim().split('\n')[0].slice(0, 200);
}

/** What is behind fetch's "fetch failed": ECONNREFUSED, ENOTFOUND, or a text. */
export function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = (cause as { code?: string } | null)?.code;
  return code ?? (cause instanceof Error ? cause.message : String(cause));
}
