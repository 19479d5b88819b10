import type { AlarmVerdict, Verdict } from '../ledger/index.ts'
import type { FailoverTimes } from './failover-times.ts'
import { addCounts, type GatewayCounts, NO_COUNTS } from './gateway-counts.ts'

/** One gateway's part in a run. */
export interface GatewaySummary extends GatewayCounts {
  gateway: string
  /** Times that it was killed, and that its data folder was deleted then. */
  kills: number
  wipes: number
}

/** What happened to the site while it ran. */
export interface SiteRun {
  /** Times that a link was cut, gateways were killed, and data folders deleted. */
  cuts: number
  kills: number
  wipes: number
  seconds: number
}

/** What a run of a site came to. `lost`, `doubled` and `reordered` must be 0, and so must those of `events`. Counts are of all gateways. */
export interface SiteSummary extends GatewayCounts, SiteRun {
  /** Readings that two gateways heard, and only one of them sent. */
  repeated: number
  lost: number
  doubled: number
  reordered: number
  /** In the stream without having been sent. */
  invented: number
  /** Alarms of the site's own rules in the stream of events; `missed` and `doubled` must be 0. */
  events: Omit<AlarmVerdict, 'findings'>
  /** Publishes that devices got acknowledged. */
  acknowledged: number
  failoverMs: FailoverTimes
  gateways: readonly GatewaySummary[]
  /** What is wrong, in words; empty when nothing is. */
  findings: readonly string[]
}

export function summarise(parts: {
  gateways: readonly GatewaySummary[]
  verdict: Verdict
  alarms: AlarmVerdict
  run: SiteRun
  failoverMs: FailoverTimes
}): SiteSummary {
  const { gateways, verdict, alarms, run, failoverMs } = parts
  const { lost, doubled, reordered, invented, acknowledged } = verdict.total
  return {
    ...gateways.reduce<GatewayCounts>(addCounts, NO_COUNTS),
    repeated: verdict.positions.readings.repeated,
    lost,
    doubled,
    reordered,
    invented,
    events: { raised: alarms.raised, cleared: alarms.cleared, missed: alarms.missed, doubled: alarms.doubled },
    acknowledged,
    ...run,
    failoverMs,
    gateways,
    findings: [...verdict.findings, ...alarms.findings],
  }
}
