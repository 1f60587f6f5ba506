/** Closing many clients over some time, so that they don't come back to the other nodes all at once. */
import type { Clock, Random } from '../core/ports.js';
import { type Ending, RESTART } from './close.js';

export interface Closing {
  end(ending: Ending): void;
}

/** Time between two steps, in milliseconds. */
const STEP_MS = 20;

/** Closes all with 1012, evenly over `seconds`, in random order: at which moment a client is closed is chance. */
export function closeSpread(
  connections: readonly Closing[],
  seconds: number,
  clock: Clock,
  random: Random,
): Promise<void> {
  const order = shuffled(connections, random);
  const start = clock.now();
  let closed = 0;
  return new Promise((resolve) => {
    const step = () => {
      const part = seconds > 0 ? (clock.now() - start) / (seconds * 1000) : 1;
      const due = Math.min(order.length, Math.ceil(order.length * part));
      while (closed < due) order[closed++].end(RESTART);
      if (closed === order.length) resolve();
      else clock.after(STEP_MS, step);
    };
    step();
  });
}

/** Fisher and Yates. */
function shuffled<T>(items: readonly T[], random: Random): T[] {
  const order = [...items];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random.fraction() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}
