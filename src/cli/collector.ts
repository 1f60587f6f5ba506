/** V8's garbage collector, for a process that answers others all the time. */
import { setFlagsFromString } from 'node:v8';

/**
 * When a busy process becomes calm, V8 collects everything up to three times to give memory back, a pause of some 10 ms each.
 * Once gives back nearly all of it (bench/PROFILE.md "D").
 */
export function collectOnceWhenCalm(): void {
  // V8 12 (Node.js 22) has another name for it.
  const old = Number.parseInt(process.versions.v8, 10) < 12;
  setFlagsFromString(old ? '--memory-reducer-single-gc' : '--memory-reducer-gc-count=1');
}
