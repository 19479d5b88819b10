import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import type { Millis } from '../../sync/contract/index.ts'

/** How often the event loop is looked at, and the share of that time from which on it counts as busy. */
const EVERY: Millis = 2000
const BUSY = 0.65
/** Looks in a row that must find it so: everybody is busy for a moment when a hundred devices come back. */
const LOOKS = 2

const grow = (factor: 1 | 2): void => setFlagsFromString(`--semi-space-growth-factor=${factor}`)

/**
 * V8 doubles its young generation whenever much has survived in it, and does not give it back: 30 MB that a gateway at an ordinary
 * rate has no use for, and without which a busy one takes a quarter more processor a reading. So it may grow from the moment on
 * when the event loop is found busy again and again. To be called before the rest of the program is loaded, which is when much survives.
 */
export function growOnlyWhenBusy(): void {
  grow(1)
  let last = performance.eventLoopUtilization()
  let busy = 0
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, last)
    last = now
    busy = utilization < BUSY ? 0 : busy + 1
    if (busy < LOOKS) return
    grow(2)
    clearInterval(timer)
  }, EVERY)
  timer.unref()
}
