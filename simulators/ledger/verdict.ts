import { declaredGone, isSound, type PositionReport } from './positions.ts'

/** What became of the readings (and spoiled payloads) of one device, or of all. */
export interface Tally {
  /** Handed to a connection at least once. */
  attempted: number
  /** Of these, acknowledged by a gateway. */
  acknowledged: number
  /** In the stream, each counted once; attempted but unacknowledged ones may be among them. */
  stored: number
  /** Kept as dead letters. */
  deadLettered: number
  /** Acknowledged, and nowhere to be found. Must be 0. */
  lost: number
  /** Acknowledged and missing, but declared missing by the gateway: by number, since a gap does not say whose readings it held. */
  evicted: number
  /** Copies beyond the first. Must be 0. */
  doubled: number
  /** Stored after a reading that was sent later (see `ObservedSeries`). Must be 0. */
  reordered: number
  /** In the stream (or among the dead letters) although the device never sent it, or not with this value. Must be 0. */
  invented: number
}

export interface DeviceTally extends Tally {
  device: string
}

export interface Verdict {
  /** Nothing lost, doubled, reordered or invented, and the offsets of all packs are sound. */
  ok: boolean
  /** 0 when `ok`, else 1: for a command's exit code. */
  exitCode: 0 | 1
  total: Tally
  /** Sorted by name. */
  devices: DeviceTally[]
  positions: { readings: PositionReport; deadLetters: PositionReport }
  /** Readings and dead letters of somebody else: devices or runs that this ledger knows nothing of. */
  foreign: number
  /** Beyond the end of a ledger that was cut short with its writer: nobody can say whether they were sent. */
  unrecorded: number
  /** More dead letters than attempts (allowed: a payload without an identity cannot be told from its own repeat). */
  repeatedDeadLetters: number
  ledgerTruncated: boolean
  /** The first findings, for people. */
  findings: string[]
}

/** A device's tally before it is known how much of what is missing was declared. */
export interface OpenTally extends Omit<DeviceTally, 'lost' | 'evicted'> {
  missingReadings: number
  missingDeadLetters: number
}

export function judge(tallies: OpenTally[], rest: Omit<Verdict, 'ok' | 'exitCode' | 'total' | 'devices'>): Verdict {
  const evictedReadings = shareOut(
    declaredGone(rest.positions.readings),
    tallies.map((tally) => tally.missingReadings),
  )
  const evictedDeadLetters = shareOut(
    declaredGone(rest.positions.deadLetters),
    tallies.map((tally) => tally.missingDeadLetters),
  )
  const devices = tallies.map(({ missingReadings, missingDeadLetters, ...tally }, index): DeviceTally => {
    const evicted = (evictedReadings[index] ?? 0) + (evictedDeadLetters[index] ?? 0)
    return { ...tally, evicted, lost: missingReadings + missingDeadLetters - evicted }
  })
  devices.sort((a, b) => (a.device < b.device ? -1 : 1))
  const total = sumUp(devices)
  const clean = total.lost === 0 && total.doubled === 0 && total.reordered === 0 && total.invented === 0
  const ok = clean && isSound(rest.positions.readings) && isSound(rest.positions.deadLetters)
  return { ok, exitCode: ok ? 0 : 1, total, devices, ...rest }
}

/**
 * Spreads what was declared missing over what is missing, in proportion, so that the parts add up to the smaller of the
 * two sums and no part is larger than what it is taken from.
 */
export function shareOut(declared: number, missing: readonly number[]): number[] {
  const total = missing.reduce((sum, count) => sum + count, 0)
  const explained = Math.min(declared, total)
  let seen = 0
  let given = 0
  return missing.map((count) => {
    seen += count
    const due = total === 0 ? 0 : Math.floor((explained * seen) / total)
    const part = Math.min(count, due - given)
    given += part
    return part
  })
}

function sumUp(devices: readonly DeviceTally[]): Tally {
  const total: Tally = {
    attempted: 0,
    acknowledged: 0,
    stored: 0,
    deadLettered: 0,
    lost: 0,
    evicted: 0,
    doubled: 0,
    reordered: 0,
    invented: 0,
  }
  for (const { device: _, ...tally } of devices) {
    for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += tally[key]
  }
  return total
}
