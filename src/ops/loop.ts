/** Watches the event loop: its worst delay feeds metrics and the membership's local health (Lifeguard). */
import { monitorEventLoopDelay } from 'node:perf_hooks';

export interface LoopWatch {
  /** Worst delay since the last reading, in milliseconds. */
  worstMs(): number;
  stop(): void;
}

/** Calls `told` every `everyMs` with the worst delay of that time, in milliseconds. */
export function watchLoop(everyMs: number, told: (worstMs: number) => void): LoopWatch {
  const resolution = 10;
  const histogram = monitorEventLoopDelay({ resolution });
  histogram.enable();
  let worst = 0;
  const timer = setInterval(() => {
    worst = Math.max(0, histogram.max / 1e6 - resolution);
    histogram.reset();
    told(worst);
  }, everyMs);
  timer.unref();
  return {
    worstMs: () => worst,
    stop() {
      clearInterval(timer);
      histogram.disable();
    },
  };
}
