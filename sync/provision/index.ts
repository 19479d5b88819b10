import { STREAMS } from '../contract/index.ts'
import type { StreamPlan } from '../link/index.ts'

export interface StreamSettings {
  replicas: number
  storage: 'file' | 'memory'
  /** Bytes a stream may hold; -1 = no limit. When reached, gateways are refused and buffer: nothing is dropped. */
  maxBytes: number
  /** Milliseconds; 0 = for ever. */
  maxAge: number
}

const NANOSECONDS = 1_000_000

/**
 * The central streams. `discard: new` turns a full stream into backpressure on the gateways instead of loss; the dedupe
 * window is the shortest allowed because nothing depends on it; no rollups, since one header of any publisher could wipe a
 * stream that allows them.
 */
export function streamPlans(settings: StreamSettings): StreamPlan[] {
  const plan = (name: string, subjects: string[], description: string, latest = false): StreamPlan => ({
    name,
    description,
    subjects,
    storage: settings.storage,
    num_replicas: settings.replicas,
    retention: 'limits',
    discard: latest ? 'old' : 'new',
    max_age: latest ? 0 : settings.maxAge * NANOSECONDS,
    max_bytes: settings.maxBytes,
    max_msgs_per_subject: latest ? 1 : -1,
    duplicate_window: 100 * NANOSECONDS,
    allow_direct: true,
    deny_delete: !latest,
    allow_rollup_hdrs: false,
  })
  return [
    plan(STREAMS.readings, ['readings.*.*'], 'Readings of all gateways, in packs'),
    plan(STREAMS.events, ['events.*.*.*'], 'Threshold events, one chain for each alarm'),
    plan(STREAMS.deadletters, ['deadletters.*.*'], 'What could not become a reading, with the reason'),
    plan(STREAMS.latest, ['latest.>'], 'The last known value of every series, by gateway', true),
  ]
}
