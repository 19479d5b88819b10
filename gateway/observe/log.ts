import { pino } from 'pino'

/** Structured log lines: fields for programs first, a sentence for people after. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** JSON lines on standard error; standard output belongs to results. */
export function createLog(level: string, base: object = {}): Log {
  return pino({ level, base, timestamp: pino.stdTimeFunctions.isoTime }, pino.destination({ fd: 2, sync: true }))
}
