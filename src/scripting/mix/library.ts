/** Everything that scripts may call beside connections and timers, in the order in which the Lua parts run. */
import type { ScriptOptions } from '../options.js';
import type { ScriptConnection, ScriptHost } from '../roles.js';
import { bit } from './bit.js';
import { http } from './http.js';
import { json } from './json.js';
import { jwt } from './jwt.js';
import { log } from './log.js';
import { lua51 } from './lua51.js';
import { mesh } from './mesh.js';
import type { MakeModule } from './module.js';
import { os } from './os.js';
import { print } from './print.js';
import { pure } from './pure.js';
import { queue } from './queue.js';
import { redis } from './redis.js';
import { server } from './server.js';

export function library(
  options: ScriptOptions,
  host: ScriptHost,
  connection: () => ScriptConnection | null,
): MakeModule[] {
  return [
    lua51,
    bit,
    os,
    print,
    log,
    json,
    pure,
    jwt,
    http(options.http),
    redis(options.redis),
    server(options.options),
    mesh(host),
    queue(host, connection),
  ];
}
