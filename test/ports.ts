/**
 * Ports for processes that must know theirs before they listen, or come back on it after a restart. A port that was free a
 * moment ago will not do: anybody's outgoing connection, or listening on port 0, may get it before the process does. So these
 * lie below the range from which the kernel hands out ports, and a block of them belongs to whoever listens on its first one.
 */
import { createServer, type Server } from 'node:net';

const LOWEST = 20_000;
/** Below the kernel's own range: 32768 and up on Linux, 49152 and up elsewhere. */
const HIGHEST = 32_000;
/** All blocks have one size, so that none begins within another. */
const BLOCK = 30;
const BLOCKS = (HIGHEST - LOWEST) / BLOCK;

/** So many ports of loopback that are free, and that no other test process is given while this one lives. */
export async function claimPorts(count: number): Promise<number[]> {
  if (count >= BLOCK) throw new Error(`a block has ${BLOCK - 1} ports, not ${count}`);
  // Beginning anywhere: test processes that start together need not try the same blocks.
  const start = Math.floor(Math.random() * BLOCKS);
  for (let i = 0; i < BLOCKS; i++) {
    const first = LOWEST + ((start + i) % BLOCKS) * BLOCK;
    const claim = await listen(first);
    if (claim === null) continue;
    const ports = Array.from({ length: count }, (_, k) => first + 1 + k);
    if (await areFree(ports)) {
      claim.unref();
      return ports;
    }
    await close(claim);
  }
  throw new Error(`no ${count} free ports in a row between ${LOWEST} and ${HIGHEST}`);
}

export async function claimPort(): Promise<number> {
  const [port] = await claimPorts(1);
  return port;
}

async function areFree(ports: readonly number[]): Promise<boolean> {
  const servers = await Promise.all(ports.map(listen));
  await Promise.all(servers.map((server) => server && close(server)));
  return servers.every((server) => server !== null);
}

/** Null when the port is taken. */
function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(null));
    server.listen(port, '127.0.0.1', () => resolve(server));
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => server.close(() => resolve()));
}
