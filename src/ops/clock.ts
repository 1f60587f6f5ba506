/** The process's side of the core's Clock and Random ports: the operating system's monotonic clock and random source. */
import { randomFillSync } from 'node:crypto';
import type { Clock, Random } from '../core/ports.js';

/** Timers do not keep the process alive: what does is its sockets. */
export function createClock(): Clock {
  let turn: (() => void)[] = [];
  let spare: (() => void)[] = [];
  const runTurn = () => {
    const due = turn;
    turn = spare;
    for (const fn of due) fn();
    due.length = 0;
    spare = due;
  };
  return {
    now: () => performance.now(),
    after(ms, fn) {
      const timer = setTimeout(fn, ms);
      timer.unref();
      return () => clearTimeout(timer);
    },
    endOfTurn(fn) {
      if (turn.push(fn) === 1) setImmediate(runTurn);
    },
  };
}

export function createRandom(): Random {
  const pool = new Uint32Array(256);
  let left = 0;
  const uint32 = () => {
    if (left === 0) {
      randomFillSync(pool);
      left = pool.length;
    }
    return pool[--left];
  };
  return { uint32, fraction: () => uint32() / 0x100000000 };
}
