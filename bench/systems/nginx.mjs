/**
 * OpenResty's way of WebSocket in Lua, from Debian's packages: nginx with ngx_lua on LuaJIT (libnginx-mod-http-lua), lua-cjson, and
 * the WebSocket library lua-nginx-websocket. One process, no log; nothing else is changed.
 */
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { accepts, freePort, startProgram } from '../lib/process.mjs';

const MODULES = '/usr/lib/nginx/modules';
const NEEDED = [
  `${MODULES}/ngx_http_lua_module.so`,
  '/usr/share/lua/5.1/nginx/websocket/server.lua',
  '/usr/lib/x86_64-linux-gnu/lua/5.1/cjson.so',
];

/** What is missing of Debian's packages; null when all is there. */
export function nginxMissing() {
  return NEEDED.every(existsSync) ? null : 'needs libnginx-mod-http-lua, lua-cjson and lua-nginx-websocket';
}

/** Serves a script of bench/lua as the handler of every request. */
export async function startNginx(name) {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'bench-nginx-'));
  const file = join(folder, 'nginx.conf');
  const script = fileURLToPath(new URL(`../lua/${name}`, import.meta.url));
  writeFileSync(
    file,
    `load_module ${MODULES}/ndk_http_module.so;
load_module ${MODULES}/ngx_http_lua_module.so;
daemon off;
master_process off;
pid ${folder}/pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  lua_socket_log_errors off;
  server {
    listen 127.0.0.1:${port};
    location / { content_by_lua_file ${script}; }
  }
}
`,
  );
  const server = await startProgram('nginx', ['-c', file, '-p', folder], null, { cwd: folder });
  await accepts(port);
  return { server, port };
}
