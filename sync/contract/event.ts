import { DeadLetterError } from './errors.ts'
import type { Millis } from './units.ts'

/**
 * One transition of one alarm (device + rule). Transitions of an alarm are numbered 1, 2, 3, ...: transition n
 * can only follow n-1, which is what makes the event exactly-once however many gateways decide it.
 *
 * Numbers are those of one series of transitions, named by `since`: a gateway that lost its store knows nothing of what
 * was told before, and begins a new series.
 */
export interface ThresholdEvent {
  /** Deterministic: same rule, device, series of transitions and number give the same id on every gateway. */
  id: string
  device: string
  rule: string
  transition: number
  /** Time of transition 1, or a little later. */
  since: Millis
  /** CloudEvents `type`, e.g. `tidegate.alarm.raised`. */
  type: string
  time: Millis
  data: Readonly<Record<string, unknown>>
}

/**
 * The threshold event in the body of its message.
 *
 * @throws DeadLetterError `EVENT_INVALID`
 */
export function decodeEvent(text: string): ThresholdEvent {
  let event: unknown
  try {
    event = JSON.parse(text)
  } catch (cause) {
    throw new DeadLetterError('EVENT_INVALID', 'the body of the event is not JSON', { cause })
  }
  if (!isObject(event)) throw new DeadLetterError('EVENT_INVALID', 'the body of the event is not a JSON object')
  const { id, device, rule, transition, since, type, time, data } = event
  const sound =
    [id, device, rule, type].every((name) => typeof name === 'string' && name !== '') &&
    Number.isSafeInteger(transition) &&
    Number.isFinite(since) &&
    Number.isFinite(time) &&
    isObject(data)
  if (!sound)
    throw new DeadLetterError(
      'EVENT_INVALID',
      'expected id, device, rule, transition, since, type, time and data in the event',
    )
  return { id, device, rule, transition, since, type, time, data } as ThresholdEvent
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
