import type { Clock } from '../../sync/runtime/index.ts'

/** Signals that ask a process to stop. */
export const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const

/**
 * One press of Ctrl-C arrives twice when npm stands between the terminal and us: once from the terminal, which signals the
 * whole process group, once forwarded by npm. Anything this soon after the first is the same press.
 */
const SAME_PRESS = 500

/**
 * What to do when a signal asks to stop: the first one asks for a clean end, the next one ends at once.
 *
 * @returns call it for every signal that arrives
 */
export function interruptHandler(clock: Clock, stop: () => void, stopHard: () => void): () => void {
  let first: number | null = null
  return () => {
    if (first === null) {
      first = clock.monotonic()
      stop()
    } else if (clock.monotonic() - first > SAME_PRESS) stopHard()
  }
}
