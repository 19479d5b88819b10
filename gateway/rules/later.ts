import type { Reading } from '../../sync/contract/index.ts'

/**
 * Whether a device said one reading after another, as far as can be told: by its own counter, else by its own clock. Only what it does
 * not say itself is told by when gateways heard it, whose clocks may differ.
 */
export function isLater(one: Reading, other: Reading): boolean {
  if (one.metric === other.metric && one.seq !== undefined && other.seq !== undefined && one.session === other.session)
    if (one.seq !== other.seq && (one.session !== undefined || one.time === undefined)) return one.seq > other.seq
  if (one.time !== undefined && other.time !== undefined && one.time !== other.time) return one.time > other.time
  return one.received > other.received
}
