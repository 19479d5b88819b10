import type { ThresholdEvent } from '../../../sync/contract/index.ts'
import type { Message } from '../red.ts'

const PREFIX = 'tidegate.alarm.'

/** What happened to the alarm: `raised`, `cleared`, `acknowledge`, ...; null for events that are not about an alarm. */
export const kindOf = ({ type }: ThresholdEvent): string | null =>
  type.startsWith(PREFIX) ? type.slice(PREFIX.length) : null

/** What the data of an alarm's event holds; everything is looked at before it is believed. */
interface AlarmData {
  severity?: string
  message?: string
  limit?: number | null
  state?: { before?: string; after?: string }
  condition?: { before?: string | null; after?: string | null }
  reading?: { metric?: string; value?: unknown; unit?: string } | null
}

/** Which condition the alarm is in after an event: `hi`, `lolo`, ...; null = within limits. */
export const conditionAfter = ({ data }: ThresholdEvent): string | null => (data as AlarmData).condition?.after ?? null

/**
 * An event as a message: what people look at flat in `payload`, the whole of it in `event`. `topic` is device and rule: it names the alarm.
 */
export function eventMessage(event: ThresholdEvent): Message {
  const { severity, message, limit, state, condition, reading } = event.data as AlarmData
  return {
    topic: `${event.device}/${event.rule}`,
    payload: {
      id: event.id,
      kind: kindOf(event) ?? event.type,
      device: event.device,
      rule: event.rule,
      transition: event.transition,
      time: event.time,
      severity: severity ?? null,
      message: message ?? '',
      metric: reading?.metric ?? null,
      value: reading?.value ?? null,
      unit: reading?.unit ?? null,
      limit: limit ?? null,
      condition: condition?.after ?? null,
      state: state?.after ?? null,
    },
    event,
  }
}
