import { z } from 'zod'
import type { Millis, Reading, ThresholdEvent } from '../../sync/contract/index.ts'
import { happenedIn } from './event.ts'
import { type Action, type AlarmLife, freshLife, live } from './lifecycle.ts'

/** What an event says of its alarm. */
export interface PeerTold {
  since: Millis
  transition: number
  /** Event time. */
  at: Millis
  /** What has happened: readings or time changed the condition, somebody did something, or the rule is gone. */
  by: 'readings' | Action | 'removal'
  /** What the alarm became. */
  state: z.infer<typeof facts>['state']['after']
  condition: string | null
  /** Of an alarm that was shelved. */
  until: Millis | null
  /** The last one that was looked at for it. */
  reading: Cause
}

/** What tells a reading of an alarm from the others. */
export interface Cause {
  metric: string
  value: Reading['value']
  received: Millis
  time?: Millis | undefined
  seq?: number | undefined
  session?: string | undefined
  life?: number | undefined
}

export const isCause = (cause: Cause, { metric, value, received, time, seq }: Reading): boolean =>
  received === cause.received &&
  metric === cause.metric &&
  value === cause.value &&
  time === cause.time &&
  seq === cause.seq

const causeSchema = z.object({
  metric: z.string(),
  value: z.union([z.number(), z.boolean(), z.string()]),
  received: z.number(),
  time: z.number().optional(),
  seq: z.number().optional(),
  session: z.string().optional(),
  life: z.number().optional(),
})

const facts = z.object({
  state: z.object({
    after: z.enum([
      'normal',
      'unacknowledged',
      'acknowledged',
      'returned',
      'latched',
      'shelved',
      'suppressed',
      'outOfService',
    ]),
  }),
  condition: z.object({ after: z.string().nullable() }),
  until: z.number().optional(),
  reading: causeSchema,
})

/** What there is to know of an alarm that its readings do not say: enough for a gateway that begins with nothing to go on with it. */
export const knownAlarmSchema = z.object({
  name: z.string(),
  since: z.number(),
  transition: z.number(),
  life: z.object({
    condition: z.string().nullable(),
    acknowledged: z.boolean(),
    latched: z.boolean(),
    shelvedUntil: z.number().nullable(),
    suppressed: z.boolean(),
    outOfService: z.boolean(),
  }),
  /** Event time of the newest clearing; null before the first. */
  cleared: z.number().nullable(),
  /** The last one that was looked at for it. */
  reading: causeSchema,
})

export type KnownAlarm = z.infer<typeof knownAlarmSchema>

/** Reads what another gateway told; null when that is of no alarm, or of a version that says it otherwise. */
export function readTold({ since, transition, time: at, type, data }: ThresholdEvent): PeerTold | null {
  const kind = happenedIn(type)
  const said = facts.safeParse(data).data
  if (!kind || !said) return null
  const { state, condition, until = null, reading } = said
  const by = byOf(kind, until ?? at)
  return { since, transition, at, by, state: state.after, condition: condition.after, until, reading }
}

function byOf(kind: NonNullable<ReturnType<typeof happenedIn>>, until: Millis): PeerTold['by'] {
  switch (kind) {
    case 'raised':
    case 'changed':
    case 'cleared':
      return 'readings'
    case 'removed':
      return 'removal'
    case 'expired':
      return { kind: 'unshelve' }
    case 'shelve':
      return { kind, until }
    default:
      return { kind }
  }
}

/**
 * The life of an alarm as somebody else told it. What its state hides (whether a shelved alarm was acknowledged, say) is as it was
 * known here.
 *
 * @param latch whether the alarm stays when it clears
 */
export function lifeTold(own: AlarmLife, { state, condition, by, at, until }: PeerTold, latch: boolean): AlarmLife {
  const known = typeof by === 'object' ? (live(own, by) ?? own) : own
  switch (state) {
    case 'normal':
      return freshLife()
    case 'unacknowledged':
      return { ...freshLife(), condition, acknowledged: false }
    case 'acknowledged':
      return { ...freshLife(), condition }
    case 'returned':
      return { ...freshLife(), acknowledged: false, latched: latch }
    case 'latched':
      return { ...freshLife(), latched: true }
    case 'shelved':
      // Until when may have been told in an event that was not heard here: then it comes back at once, not never.
      return {
        ...known,
        condition,
        shelvedUntil: until ?? known.shelvedUntil ?? at,
        suppressed: false,
        outOfService: false,
      }
    case 'suppressed':
      return { ...known, condition, suppressed: true, outOfService: false }
    case 'outOfService':
      return { ...known, condition, outOfService: true }
  }
}
