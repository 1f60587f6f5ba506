/** Scripts for tests: text in a temporary folder, loaded on a FakeHost. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { schema } from '../../src/config/schema.js';
import type { ScriptOptions } from '../../src/scripting/options.js';
import { createScript, type Script } from '../../src/scripting/script.js';
import { type FakeConnection, FakeHost } from './fake-host.js';

export interface Lab {
  readonly host: FakeHost;
  readonly script: Script;
  readonly folder: string;
  write(name: string, text: string): void;
  /** A websocket connection past its handshake. */
  connect(id?: string): FakeConnection;
  /** Sends a text message to on_message. */
  say(connection: FakeConnection, text: string): void;
  /** Runs Lua code in the next message's callback and gives what it returned, as text; an error as "error: …". */
  run(code: string): string;
}

/** For a test: closes the script and removes the folder at its end. */
interface Test {
  teardown(fn: () => void): void;
}

const defaults = schema.parse({});

export async function lab(
  t: Test,
  files: string | Readonly<Record<string, string>>,
  options: Partial<ScriptOptions> = {},
  host: FakeHost = new FakeHost(),
): Promise<Lab> {
  const folder = mkdtempSync(join(tmpdir(), 'lumesh-lua-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): void => {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  };
  const texts = typeof files === 'string' ? { 'entry.lua': files } : files;
  for (const [name, text] of Object.entries(texts)) write(name, text);
  const script = await createScript(
    { ...defaults.lua, ...defaults.servers[0], reloadSeconds: 0, ...options, entry: join(folder, 'entry.lua') },
    host,
  );
  t.teardown(() => script.close());
  let last = 0;
  const connect = (id = String(1000 + ++last)): FakeConnection => {
    const connection = host.open(id);
    script.handshake(connection, REQUEST, () => undefined);
    return connection;
  };
  const say = (connection: FakeConnection, text: string): void => script.message(connection, Buffer.from(text), false);
  const run = (code: string): string => {
    const connection = connect();
    say(connection, code);
    return connection.texts.join('|');
  };
  return { host, script, folder, write, connect, say, run };
}

export const REQUEST = {
  method: 'GET',
  requestUri: '/?a=1',
  serverProtocol: 'HTTP/1.1',
  host: 'localhost',
  remoteAddress: '127.0.0.1:40000',
  headers: [
    ['host', 'localhost'],
    ['sec-websocket-key', 'abc'],
    ['cookie', 'a=1'],
    ['cookie', 'b=2'],
  ],
} as const;

/** An entry whose messages are Lua code. */
export const RUN_ENTRY = `
function on_message(msg)
  local run, problem = load(msg.data, "=code")
  if not run then return mix.websocket():send("error: " .. problem) end
  local ok, result = pcall(run)
  mix.websocket():send(ok and tostring(result) or "error: " .. tostring(result))
end
`;
