import type { Millis } from '../../sync/contract/index.ts'

export { growth } from '../../sync/forward/index.ts'

/** How often a stream without news says that it is still there, so that both ends notice a dead connection. */
export const ALIVE_EVERY: Millis = 15_000

/** Aborts with either: the end of the server, or of the one request. */
export function joined(ended: AbortSignal, onAbort: (abort: () => void) => void): AbortSignal {
  const one = new AbortController()
  onAbort(() => one.abort())
  return AbortSignal.any([ended, one.signal])
}
