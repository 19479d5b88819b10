import type { GatewayStatus } from '../../gateway/observe/index.ts'

/** What became of the readings of a gateway. */
export interface GatewayCounts {
  /** Readings that became durable on it. */
  accepted: number
  /** Of these, stored centrally. */
  forwarded: number
  /** Of these, still waiting for the link. */
  buffered: number
  /** Publishes kept as dead letters. */
  deadLettered: number
  /** Readings given up because of the bounds. */
  evicted: number
}

export const NO_COUNTS: GatewayCounts = { accepted: 0, forwarded: 0, buffered: 0, deadLettered: 0, evicted: 0 }

export function countsOf(status: GatewayStatus | null): GatewayCounts {
  if (status === null) return NO_COUNTS
  const { readings, deadletters } = status.outbox.lanes
  return {
    accepted: readings.accepted,
    forwarded: readings.forwarded,
    buffered: readings.pending,
    deadLettered: deadletters.accepted,
    evicted: readings.missing,
  }
}

export const addCounts = (a: GatewayCounts, b: GatewayCounts): GatewayCounts => ({
  accepted: a.accepted + b.accepted,
  forwarded: a.forwarded + b.forwarded,
  buffered: a.buffered + b.buffered,
  deadLettered: a.deadLettered + b.deadLettered,
  evicted: a.evicted + b.evicted,
})
