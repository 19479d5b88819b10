import { type Millis, STREAMS } from '../contract/index.ts'
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
const CONSUMER_REPEATS_WITHIN: Millis = 120_000

/**
 * The central streams. `discard: new` turns a full stream into backpressure on the gateways instead of loss; the dedupe
 * window is the shortest allowed because nothing depends on it; no rollups, since one header of any publisher could wipe a
 * stream that allows them.
 */
export function streamPlans(settings: StreamSettings): StreamPlan[] {
  const plan = (name: string, subjects: string[], description: string): StreamPlan => ({
    name,
    description,
    subjects,
    storage: settings.storage,
    num_replicas: settings.replicas,
    retention: 'limits',
    discard: 'new',
    max_age: settings.maxAge * NANOSECONDS,
    max_bytes: settings.maxBytes,
    max_msgs_per_subject: -1,
    duplicate_window: 100 * NANOSECONDS,
    allow_direct: true,
    deny_delete: true,
    allow_rollup_hdrs: false,
  })
  return [
    plan(STREAMS.readings, ['readings.*.*'], 'Readings of all gateways, in packs'),
    plan(STREAMS.events, ['events.*.*.*'], 'Threshold events, one chain for each alarm'),
    plan(STREAMS.deadletters, ['deadletters.*.*'], 'What could not become a reading, with the reason'),
    {
      ...plan(STREAMS.latest, ['latest.>'], 'The last known value of every series, by gateway'),
      discard: 'old',
      max_age: 0,
      max_msgs_per_subject: 1,
      deny_delete: false,
    },
    {
      ...plan(
        STREAMS.consumerDeadletters,
        ['consumer-deadletters.>'],
        'What a consumer could not process, with the reason',
      ),
      // People take these out once they have dealt with them.
      deny_delete: false,
      // A consumer that crashes right after it put one here puts it here again.
      duplicate_window: Math.min(CONSUMER_REPEATS_WITHIN, settings.maxAge || CONSUMER_REPEATS_WITHIN) * NANOSECONDS,
    },
  ]
}
