import type { Millis, Reading, ThresholdEvent } from '../../sync/contract/index.ts'
import type { Alarm, Transition } from './alarm.ts'
import type { Rule, Severity } from './rule.ts'
import { limitOf, severityOf } from './severity.ts'

const ALARM = 'tidegate.alarm.'

/**
 * A transition as an event. Everything in it follows from the rule and the readings, so every gateway that decides it, and every
 * replay, says the same, byte for byte.
 */
export function toEvent({ name, rule, revision }: Alarm, transition: Transition): ThresholdEvent {
  const { kind, number, since, at, from, to, was, is, reading, note } = transition
  const { device } = reading
  const crossed = is ?? was
  return {
    id: eventId(device, name, since, number),
    device,
    rule: name,
    transition: number,
    since,
    type: `${ALARM}${NAMES[kind]}`,
    time: at,
    data: {
      severity: severityOf(rule, crossed),
      message: messageOf(rule, crossed, NAMES[kind], reading),
      labels: rule.labels,
      state: { before: from, after: to },
      condition: { before: was, after: is },
      limit: limitOf(rule, crossed),
      reading,
      revision,
      ...note,
    },
  }
}

/** The same wherever and whenever it is decided, and never that of another event, whatever names hold. */
export const eventId = (device: string, alarm: string, since: Millis, transition: number): string =>
  [device, alarm, since, transition].map((part) => String(part).replace(/[%/]/g, encodeURIComponent)).join('/')

/** What has happened, in one form for all. */
const NAMES: Readonly<Record<Transition['kind'], string>> = {
  raised: 'raised',
  changed: 'changed',
  cleared: 'cleared',
  expired: 'expired',
  removed: 'removed',
  acknowledge: 'acknowledged',
  reset: 'reset',
  shelve: 'shelved',
  unshelve: 'unshelved',
  suppress: 'suppressed',
  unsuppress: 'unsuppressed',
  removeFromService: 'removedFromService',
  returnToService: 'returnedToService',
}

const KINDS = new Map<string, Transition['kind']>(
  Object.entries(NAMES).map(([kind, name]) => [`${ALARM}${name}`, kind as Transition['kind']]),
)

/** What has happened to an alarm, by the type of an event; undefined when that tells of something else. */
export const happenedIn = (type: string): Transition['kind'] | undefined => KINDS.get(type)

/** How urgent an alarm is now, and what to tell people of it. */
export const alarmMessage = ({ rule, condition }: Alarm, last: Reading): { severity: Severity; message: string } => ({
  severity: severityOf(rule, condition),
  message: messageOf(rule, condition, '', last),
})

function messageOf(rule: Rule, condition: string | null, kind: string, reading: Reading): string {
  const { device, metric, value, unit } = reading
  const text = fill(rule.message, {
    device,
    metric,
    value: String(value),
    unit: unit ?? '',
    limit: String(limitOf(rule, condition) ?? ''),
    condition: condition ?? '',
    kind,
    ...prefixed('label.', { ...reading.labels, ...rule.labels }),
  })
  // What is empty leaves no hole.
  return text.replace(/ {2,}/g, ' ')
}

/** What stands in no value stays as it was written: a typing error should be seen. */
const fill = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replace(/\{([\w.-]+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? '') : whole,
  )

const prefixed = (prefix: string, values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]))
