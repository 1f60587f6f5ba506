/** mix.http.request: options from the script, the response back to it. The requests are made in http-client.ts. */
import type { HttpClientConfig } from '../../config/schema.js';
import { ScriptError, type Stack } from '../stack.js';
import { durationMs, HttpClient, type HttpRequest, type HttpResponse } from './http-client.js';
import type { MakeModule } from './module.js';
import { Refused } from './refused.js';
import { Options, pushTable } from './tables.js';

/** Header names are found in any case; the table itself has them in lower case. */
const LUA = `
local request = (...).request
local setmetatable, rawget, type, lower = setmetatable, rawget, type, string.lower
local any_case = { __index = function(headers, name)
  if type(name) == "string" then return rawget(headers, lower(name)) end
end }
mix.http = {}

function mix.http.request(method, url, options)
  local response, err = request(method, url, options)
  if response then setmetatable(response.headers, any_case) end
  return response, err
end
`;

export function http(config: HttpClientConfig): MakeModule {
  return ({ stack, wait, meter }) => {
    const client = new HttpClient(config, meter);
    return {
      lua: { name: 'http', text: LUA },
      internal: {
        request(L) {
          const asked = readRequest(stack, L);
          return wait(L, (resume) => {
            client.request(asked).then((answer) =>
              resume((L) => {
                if (answer instanceof Refused) return stack.pushFailure(L, answer.error);
                pushTable(stack, L, responseTable(answer));
                return 1;
              }),
            );
          });
        },
      },
      close: () => client.close(),
    };
  };
}

function readRequest(stack: Stack, L: number): HttpRequest {
  const method = stack.checkText(L, 1).toUpperCase();
  const url = stack.checkText(L, 2);
  const options = new Options(stack, L, 3, 'mix.http.request');
  const [query, cookies, headers] = [readQuery(options), options.map('cookies'), options.map('headers')];
  const [body, timeoutMs, auth] = [options.text('body'), readTimeout(options), readAuth(options)];
  return {
    method,
    url,
    ...(query !== undefined ? { query } : {}),
    ...(cookies !== undefined ? { cookies } : {}),
    ...(headers !== undefined ? { headers } : {}),
    ...(body !== undefined ? { body: Buffer.from(body, 'latin1') } : {}),
    ...(timeoutMs !== undefined ? { timeoutMs } : {}),
    ...(auth !== undefined ? { auth } : {}),
  };
}

function readQuery(options: Options): string | undefined {
  if (!options.isTable('query')) {
    const text = options.text('query');
    return text === undefined ? undefined : Buffer.from(text, 'latin1').toString('utf8');
  }
  const pairs = [...options.map('query')!].map(([name, value]) => `${percentEncode(name)}=${percentEncode(value)}`);
  return pairs.join('&');
}

function readTimeout(options: Options): number | undefined {
  const written = options.text('timeout');
  if (written === undefined) return undefined;
  const ms = durationMs(written);
  if (ms === null) throw new ScriptError('mix.http.request: timeout must be seconds, or like "1h" "30s" "500ms"');
  return ms;
}

function readAuth(options: Options): HttpRequest['auth'] {
  const auth = options.map('auth');
  if (auth === undefined) return undefined;
  return { username: auth.get('username') ?? '', password: auth.get('password') ?? '' };
}

function responseTable({ status, headers, cookies, body, url }: HttpResponse) {
  return new Map<string, string | bigint | Buffer | Map<string, Buffer>>([
    ['status_code', BigInt(status)],
    ['headers', utf8Values(headers)],
    ['cookies', utf8Values(cookies)],
    ['body', body],
    ['body_size', BigInt(body.length)],
    ['url', url],
  ]);
}

/** undici has read the headers' bytes as UTF-8. */
function utf8Values(map: ReadonlyMap<string, string>): Map<string, Buffer> {
  return new Map([...map].map(([name, value]) => [name, Buffer.from(value, 'utf8')]));
}

/** RFC 3986's unreserved characters stay; `text` has one character per byte. */
function percentEncode(text: string): string {
  return text.replace(
    /[^A-Za-z0-9_.~-]/g,
    (byte) => `%${byte.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`,
  );
}
