/** Structured logs: pino behind the core's Log port. JSON lines for machines, pino-pretty for people; both to standard output. */
import { pino } from 'pino';
import pretty from 'pino-pretty';
import type { Log } from '../core/ports.js';

export interface NodeLog extends Log {
  /** Changes the level while running (configuration `logging.level` is live). */
  level(level: LogLevel): void;
  /** The same log with fields that stand on every line. */
  child(fields: Readonly<Record<string, unknown>>): NodeLog;
}
export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Creates the log of a process; `format` as in the configuration. Lines are written synchronously: none is lost at an exit. */
export function createLog(options: { level: LogLevel; format: 'json' | 'pretty' }): NodeLog {
  const target =
    options.format === 'pretty'
      ? pretty({ sync: true, ignore: 'pid,hostname', translateTime: 'SYS:HH:MM:ss.l' })
      : pino.destination({ fd: 1, sync: true });
  return wrap(pino({ level: options.level, base: null, timestamp: pino.stdTimeFunctions.isoTime }, target));
}

function wrap(logger: pino.Logger): NodeLog {
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    level: (level) => {
      logger.level = level;
    },
    child: (fields) => wrap(logger.child(fields)),
  };
}
