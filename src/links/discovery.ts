/**
 * Where to look for the mesh: the configured seeds, each a host:port whose name may stand for many nodes (a headless service,
 * a compose service with replicas). Names are resolved anew each time they are asked for, because containers move.
 */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Log } from '../core/ports.js';

/** All addresses of a name; rejects when it has none. */
export type Lookup = (name: string) => Promise<readonly string[]>;

const systemLookup: Lookup = async (name) => (await lookup(name, { all: true })).map(({ address }) => address);

/** Every ip:port that the seeds stand for, each once, in the seeds' order. A name that cannot be resolved is logged and left out. */
export async function resolveSeeds(seeds: readonly string[], log: Log, find = systemLookup): Promise<string[]> {
  const each = await Promise.all(
    seeds.map(async (seed) => {
      const at = seed.lastIndexOf(':');
      const host = seed.slice(0, at).replace(/^\[|\]$/g, '');
      const port = seed.slice(at + 1);
      if (isIP(host) !== 0) return [join(host, port)];
      try {
        return (await find(host)).map((address) => join(address, port));
      } catch (error) {
        log.warn('seed not found', { seed, why: (error as Error).message });
        return [];
      }
    }),
  );
  return [...new Set(each.flat())];
}

function join(address: string, port: string): string {
  return isIP(address) === 6 ? `[${address}]:${port}` : `${address}:${port}`;
}
