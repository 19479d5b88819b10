import type { Reading } from '../../sync/contract/index.ts'

/** What a reading says about when it was said. */
export type Said = Pick<Reading, 'metric' | 'received'> & {
  readonly seq?: number | undefined
  readonly session?: string | undefined
  readonly time?: number | undefined
}

/**
 * Whether a device said one reading after another, as far as can be told: by its own counter, else by its own clock. Only what it does
 * not say itself is told by when gateways heard it, whose clocks may differ.
 */
export function isLater(one: Said, other: Said): boolean {
  const isCounted = one.seq !== undefined && other.seq !== undefined && one.metric === other.metric
  // A counter without a session begins anew, nobody knows when: then the clock is better.
  const counts = one.session !== undefined || one.time === undefined
  if (isCounted && one.session === other.session && one.seq !== other.seq && counts)
    return (one.seq ?? 0) > (other.seq ?? 0)
  if (one.time !== undefined && other.time !== undefined && one.time !== other.time) return one.time > other.time
  return one.received > other.received
}
