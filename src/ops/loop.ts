/** Watches the event loop for the membership's local health (Lifeguard). */
import { monitorEventLoopDelay } from 'node:perf_hooks';

/**
 * Period of the timer whose lateness is measured. Each is a wake of an idle process, so it is not Node.js' 10 ms; a delay is
 * measured too short by at most this, and counts from hundreds of milliseconds on.
 */
const RESOLUTION_MS = 25;

/** Calls `told` every `everyMs` with the event loop's worst delay of that time, in milliseconds. Returns how to end it. */
export function watchLoop(everyMs: number, told: (worstMs: number) => void): () => void {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const timer = setInterval(() => {
    const worstMs = Math.max(0, histogram.max / 1e6 - RESOLUTION_MS);
    histogram.reset();
    told(worstMs);
  }, everyMs);
  timer.unref();
  return () => {
    clearInterval(timer);
    histogram.disable();
  };
}
