import { describeIntervals } from './interval-set.ts'
import type { Ledger, MetricLedger } from './ledger.ts'
import type { Observations } from './observations.ts'
import type { OpenTally } from './verdict.ts'

/** Puts the ledger and what was seen of it side by side, device by device. */
export function tallyDevices(ledger: Ledger, observed: Observations, finding: (text: string) => void): OpenTally[] {
  const tallies = new Map<string, OpenTally>()
  const tallyOf = (device: string): OpenTally => {
    const tally = tallies.get(device) ?? emptyTally(device)
    tallies.set(device, tally)
    return tally
  }
  for (const [device, metrics] of ledger.devices) {
    for (const metric of metrics.values()) addMetric(tallyOf(device), metric, observed, finding)
  }
  for (const { device, topic, key, attempted, acknowledged } of ledger.spoiledEntries.values()) {
    const seen = observed.timesSpoiled(key)
    const missing = Math.max(0, acknowledged - seen)
    const tally = tallyOf(device)
    tally.attempted += attempted
    tally.acknowledged += acknowledged
    tally.deadLettered += seen
    tally.missingDeadLetters += missing
    if (missing > 0) finding(`missing: a payload that ${device} published on ${topic} is not among the dead letters`)
  }
  for (const [device, faults] of observed.devices) Object.assign(tallyOf(device), faults)
  return [...tallies.values()]
}

function addMetric(
  tally: OpenTally,
  metric: MetricLedger,
  observed: Observations,
  finding: (text: string) => void,
): void {
  const { bySession, byTime, counted } = metric
  for (const series of [...bySession.values(), ...(byTime === undefined ? [] : [byTime])]) {
    const { stored, deadLettered } = observed.ofSeries(series)
    const missing = observed.ofSeries(series).missing()
    tally.attempted += series.attempted.size
    tally.acknowledged += series.acknowledged.size
    tally.stored += stored.size
    tally.deadLettered += deadLettered.without(stored).size
    tally.missingReadings += missing.size
    if (missing.size > 0) {
      const { device, metric: name, session, key } = series
      finding(`missing: ${device} ${name} ${session}: ${key} ${describeIntervals(missing)}`)
    }
  }
  if (counted === undefined) return
  const { stored, deadLettered } = observed.ofCounted(metric)
  const missing = Math.max(0, counted.acknowledged - stored - deadLettered)
  tally.attempted += counted.attempted
  tally.acknowledged += counted.acknowledged
  tally.stored += stored
  tally.deadLettered += deadLettered
  tally.missingReadings += missing
  if (missing > 0) finding(`missing: ${missing} readings of ${counted.device} ${counted.metric}`)
}

function emptyTally(device: string): OpenTally {
  return {
    device,
    attempted: 0,
    acknowledged: 0,
    stored: 0,
    deadLettered: 0,
    doubled: 0,
    reordered: 0,
    invented: 0,
    missingReadings: 0,
    missingDeadLetters: 0,
  }
}
