import { constants, type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import type { Millis } from '../../sync/contract/index.ts'

/** How often collections are counted, and how many full ones in that time are too many: at rest there is none in minutes. */
const EVERY: Millis = 250
const TOO_MANY = 3
/** Counts after which it is tried without room again. */
const HOLD = 240

/** What is told of one, see `PerformanceNodeEntry`. */
type Collection = PerformanceEntry & { detail: { kind: number } }

/** How much may be added to the heap before all of it is collected, in percent of what lives there; 0: V8 decides. */
type Percent = 0 | 200

const tellV8 = (percent: Percent): void => setFlagsFromString(`--heap-growing-percent=${percent}`)

/**
 * Whether the heap should have room.
 *
 *     ordinary --too many full collections at once--> roomy --a minute--> ordinary
 */
export class RoomWanted {
  #hold = 0

  /**
   * @param full full collections since the last call
   * @returns what it is from now on; null when that is what it was
   */
  after(full: number): boolean | null {
    if (this.#hold > 0) {
      this.#hold--
      return this.#hold === 0 ? false : null
    }
    if (full < TOO_MANY) return null
    this.#hold = HOLD
    return true
  }
}

/**
 * V8 counts buffers that were made since its last full collection as part of the heap, and of a heap that is small it allows the
 * next one little more. While a backlog is forwarded, hundreds of megabytes of buffers come and go every second: V8 may then collect everything
 * thirty times a second, for as much processor as all the rest takes, to find the same 20 MB alive. With room for more than young
 * collections leave of them, these are enough.
 */
export function makeRoomWhenCrowded(grow: (percent: Percent) => void = tellV8): void {
  const wanted = new RoomWanted()
  let full = 0
  new PerformanceObserver((list) => {
    for (const { detail } of list.getEntries() as Collection[])
      if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++
  }).observe({ entryTypes: ['gc'] })
  const timer = setInterval(() => {
    const change = wanted.after(full)
    full = 0
    if (change !== null) grow(change ? 200 : 0)
  }, EVERY)
  timer.unref()
}
