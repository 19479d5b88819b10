import type { GatewayStatus } from '../../gateway/observe/index.ts'
import type { AlarmVerdict, Verdict } from '../ledger/index.ts'

/** What a run of a site came to. `lost`, `doubled` and `reordered` must be 0, and so must those of `events`. */
export interface SiteSummary {
  /** Readings that became durable on the gateway. */
  accepted: number
  /** Of these, stored centrally. */
  forwarded: number
  /** Of these, still waiting for the link. */
  buffered: number
  /** Publishes kept as dead letters. */
  deadLettered: number
  /** Readings given up because of the bounds. */
  evicted: number
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
  /** Times that the link was cut, and the gateway killed. */
  cuts: number
  kills: number
  seconds: number
  /** What is wrong, in words; empty when nothing is. */
  findings: readonly string[]
}

export function summarise(
  status: GatewayStatus,
  verdict: Verdict,
  alarms: AlarmVerdict,
  run: { cuts: number; kills: number; seconds: number },
): SiteSummary {
  const { readings, deadletters } = status.outbox.lanes
  const { lost, doubled, reordered, invented, acknowledged } = verdict.total
  return {
    accepted: readings.accepted,
    forwarded: readings.forwarded,
    buffered: readings.pending,
    deadLettered: deadletters.accepted,
    evicted: readings.missing,
    repeated: verdict.positions.readings.repeated,
    lost,
    doubled,
    reordered,
    invented,
    events: { raised: alarms.raised, cleared: alarms.cleared, missed: alarms.missed, doubled: alarms.doubled },
    acknowledged,
    ...run,
    findings: [...verdict.findings, ...alarms.findings],
  }
}
