import type { Millis } from '../../sync/contract/index.ts'

/** What one gateway stored, and when it says that it received it. */
export interface Received {
  origin: string
  received: Millis
}

/**
 * Readings of one series in the order in which the gateways of the site received them.
 *
 * What one gateway received is in the stream in that order; two gateways forward at their own pace, and one of them may have been cut off
 * from the centre while its neighbour was not. All gateways of a simulated site read one clock, so their own statements say which was
 * first. Within an origin the order of the stream holds even when that clock was set back.
 */
export function byReception<R extends Received>(readings: readonly R[]): R[] {
  const newest = new Map<string, Millis>()
  const placed = readings.map((reading) => {
    const at = Math.max(reading.received, newest.get(reading.origin) ?? Number.NEGATIVE_INFINITY)
    newest.set(reading.origin, at)
    return { reading, at }
  })
  return placed.sort((a, b) => a.at - b.at).map(({ reading }) => reading)
}
