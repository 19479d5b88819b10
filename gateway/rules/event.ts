import type { ThresholdEvent } from '../../sync/contract/index.ts'
import type { Alarm, Transition } from './alarm.ts'
import { limitOf, severityOf } from './severity.ts'

/**
 * A transition as an event. Everything in it follows from the rule and the readings, so every gateway that decides it, and every
 * replay, says the same, byte for byte.
 */
export function toEvent({ name, rule, revision }: Alarm, transition: Transition): ThresholdEvent {
  const { kind, number, since, at, from, to, was, is, reading, note } = transition
  const { device, metric, value, unit } = reading
  const crossed = is ?? was
  const limit = limitOf(rule, crossed)
  return {
    id: `${device}/${name}/${since}/${number}`,
    device,
    rule: name,
    transition: number,
    since,
    type: `tidegate.alarm.${kind}`,
    time: at,
    data: {
      severity: severityOf(rule, crossed),
      message: fill(rule.message, {
        device,
        metric,
        value: String(value),
        unit: unit ?? '',
        limit: limit === null ? '' : String(limit),
        condition: crossed ?? '',
        ...prefixed('label.', { ...reading.labels, ...rule.labels }),
      }),
      labels: rule.labels,
      state: { before: from, after: to },
      condition: { before: was, after: is },
      limit,
      reading,
      revision,
      ...note,
    },
  }
}

/** What stands in no value stays as it was written: a typing error should be seen. */
const fill = (template: string, values: Readonly<Record<string, string>>): string =>
  template.replace(/\{([\w.-]+)\}/g, (whole, name: string) =>
    Object.hasOwn(values, name) ? (values[name] ?? '') : whole,
  )

const prefixed = (prefix: string, values: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix}${name}`, value]))
