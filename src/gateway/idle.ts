/**
 * Finds clients that have gone silent, for any timeout. uWebSockets.js has a timer of its own, but with steps of four seconds,
 * only from 8 to 960 seconds, and it also counts what is sent. So each server sweeps its connections ten times per timeout; a
 * connection notes the sweep's number when it hears from its client, which costs one store per message.
 */
import type { Cancel, Clock } from '../core/ports.js';

/** Sweeps per timeout: a silent client is closed between 1 and 1.1 timeouts after its last byte. */
export const SWEEPS = 10;
const PING_AFTER = SWEEPS / 2;
/** Without a timeout the sweep still runs, for what else must end some day. */
const STEP_WITHOUT_TIMEOUT_MS = 6000;

export interface Silent {
  heard: number;
  /** Half of the timeout is over. */
  ping(): void;
  /** All of it is over. */
  expire(): void;
}

/** Sweeps until cancelled; `begin` is told the number of each sweep before it looks at the connections. */
export function sweepIdle(
  clock: Clock,
  timeoutSeconds: number,
  connections: () => Iterable<Silent>,
  begin: (tick: number) => void,
): Cancel {
  const step = timeoutSeconds > 0 ? (timeoutSeconds * 1000) / SWEEPS : STEP_WITHOUT_TIMEOUT_MS;
  let tick = 0;
  let cancel: Cancel;
  const sweep = () => {
    begin(++tick);
    if (timeoutSeconds > 0) {
      for (const connection of connections()) {
        const silent = tick - connection.heard;
        if (silent > SWEEPS) connection.expire();
        else if (silent === PING_AFTER) connection.ping();
      }
    }
    cancel = clock.after(step, sweep);
  };
  cancel = clock.after(step, sweep);
  return () => cancel();
}
