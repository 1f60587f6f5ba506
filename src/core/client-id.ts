/**
 * Client ids: decimal strings, unique in the mesh and never reused (LUA_API.md).
 * An id is `boot * 2^32 + counter`: `boot` is the random 31-bit number of the node's process, so an id tells which process
 * holds the connection, stays below 2^63 (PHP's and Lua's integers) and dies with that process.
 */

const SHIFT = 32n;
const MASK = 0xffffffffn;

/** Builds the id of the `counter`-th connection (1 .. 2^32-1) of the process `boot` (1 .. 2^31-1). */
export function formatClientId(boot: number, counter: number): string {
  return ((BigInt(boot) << SHIFT) | BigInt(counter)).toString();
}

/** The `boot` of the process that gave out this id, or null when `id` is no client id. */
export function bootOfClientId(id: string): number | null {
  if (!/^[1-9][0-9]{0,18}$/.test(id)) return null;
  const value = BigInt(id);
  const boot = value >> SHIFT;
  if (boot === 0n || boot > 0x7fffffffn || (value & MASK) === 0n) return null;
  return Number(boot);
}
