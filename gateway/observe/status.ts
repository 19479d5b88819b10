import type { Millis } from '../../sync/contract/index.ts'
import type { ForwarderStatus } from '../../sync/forward/index.ts'
import type { ClockBehind } from '../clock/index.ts'
import type { FailoverCounter, FailoverStatus } from '../failover/index.ts'
import type { IngestCounter } from '../ingest/index.ts'
import type { MqttCounter } from '../ingest/mqtt/index.ts'
import type { OutboxStatus } from '../outbox/index.ts'
import type { HandoverStatus } from './handover.ts'
import type { Health } from './health.ts'

/** What a gateway says about itself. For people, dashboards and tests; plain JSON. */
export interface GatewayStatus {
  site: string
  gateway: string
  /** Unix time of this statement. */
  at: Millis
  /** Since the process started. */
  uptime: Millis
  /** Where devices connect. */
  listeners: readonly string[]
  /** Topic templates of readings. */
  topics: readonly string[]
  connections: number
  series: number
  /** All rules that hold, of all sets. */
  rules: { revision: string; count: number }
  link: ForwarderStatus
  outbox: OutboxStatus
  /** Age of the oldest reading that the centre does not have; null when it has all. */
  oldestPending: Millis | null
  /** How it stands with the other gateways; null when it is configured to be alone. */
  failover: FailoverStatus | null
  handover: HandoverStatus
  /** What is known against the own clock; null when nothing is. */
  clock: { behind: ClockBehind | null }
  /** What all of this means. */
  health: Health
  counters: Partial<Record<IngestCounter | MqttCounter | FailoverCounter, number>>
}
