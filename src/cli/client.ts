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
  const url = new URL(path, options.api);
  const headers: Record<string, string> = { ...login(options) };
  if (body !== undefined) headers['content-type'] = 'application/json';
  let answer: { E: { c: number; m: string } | null; r?: unknown };
  try {
    const response = await fetch(url, {
      method: body === undefined ? 'GET' : 'POST',
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    answer = (await response.json()) as typeof answer;
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
  const url = new URL('/ws/v1', options.api);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, { headers: login(options) });
  await new Promise<void>((resolve, reject) => {
    socket.onopen = () => socket.send(JSON.stringify({ i: 1, ...request }));
    socket.onerror = (event) => reject(unreachable(options, event.error ?? event.message));
    socket.onclose = () => resolve();
    socket.onmessage = (event) => {
      const answer = JSON.parse(String(event.data)) as {
        E?: { c: number; m: string } | null;
        e?: string;
        p?: Record<string, unknown>;
      };
      if (answer.E) reject(new CommandError(EXIT.refused, `error ${answer.E.c}: ${answer.E.m}`));
      else if (answer.e && answer.p) arrived(answer.p);
    };
  });
}

/** The version of this package. */
export function version(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function login(options: ClientOptions): Record<string, string> {
  const user = options.user ?? process.env.LUMESH_USER;
  return user ? { authorization: `Basic ${Buffer.from(user).toString('base64')}` } : {};
}

function unreachable(options: ClientOptions, error: unknown): CommandError {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  const code = (cause as { code?: string } | null)?.code;
  const text = code ?? (cause instanceof Error ? cause.message : String(cause));
  return new CommandError(
    EXIT.unreachable,
    `${options.api} cannot be reached (${text}); is a node running there? --api URL names another`,
  );
}
