/** Structured logs: pino behind the core's Log port. JSON lines for machines, pino-pretty for people; both to standard output. */
import { pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import type { Config } from '../config/schema.js';
import type { Log } from '../core/ports.js';

export interface NodeLog extends Log {
  /** Takes over level and format while running: the configuration's `logging` is live. */
  change(logging: Logging): void;
}
export type Logging = Config['logging'];

/** Creates the log of a process; `fields` stand on every line. Lines are written synchronously: none is lost at an exit. */
export function createLog(logging: Logging, fields: Readonly<Record<string, unknown>>): NodeLog {
  const output = pino.destination({ fd: 1, sync: true });
  const forPeople = prettyFactory({ translateTime: 'SYS:HH:MM:ss.l' });
  let { format } = logging;
  const target = { write: (line: string) => void output.write(format === 'pretty' ? forPeople(line) : line) };
  const options = { level: logging.level, base: fields, timestamp: pino.stdTimeFunctions.isoTime };
  const logger = pino(options, target);
  return {
    debug: (message, fields) => logger.debug(fields ?? {}, message),
    info: (message, fields) => logger.info(fields ?? {}, message),
    warn: (message, fields) => logger.warn(fields ?? {}, message),
    error: (message, fields) => logger.error(fields ?? {}, message),
    change(changed) {
      logger.level = changed.level;
      format = changed.format;
    },
  };
}
