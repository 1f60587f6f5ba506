/** scrypt hashes of passwords in the form `scrypt$N$r$p$salt$hash` (salt and hash in base64), as `lumesh config hash` prints them. */
import { scrypt, timingSafeEqual } from 'node:crypto';

/** More than this is no sensible setting but a way to stop the node. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

/** Whether `password` has that hash; false, too, for a text that is no hash. Runs in the thread pool. */
export function verifyScrypt(password: string, encoded: string): Promise<boolean> {
  const match = /^scrypt\$(\d{1,8})\$(\d{1,3})\$(\d{1,3})\$([A-Za-z0-9+/]+=*)\$([A-Za-z0-9+/]+=*)$/.exec(encoded);
  if (match === null) return Promise.resolve(false);
  const [N, r, p] = [Number(match[1]), Number(match[2]), Number(match[3])];
  const salt = Buffer.from(match[4], 'base64');
  const expected = Buffer.from(match[5], 'base64');
  return new Promise((resolve) => {
    try {
      scrypt(password, salt, expected.length, { N, r, p, maxmem: MAX_MEMORY_BYTES }, (error, hash) =>
        resolve(error === null && timingSafeEqual(hash, expected)),
      );
    } catch {
      resolve(false);
    }
  });
}
