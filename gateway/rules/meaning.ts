import type { ConditionKind, Setting } from './schema.ts'

/** Settings that mean nothing for a kind of condition, or not what they seem to, and why. */
const MEANINGLESS: Readonly<Partial<Record<ConditionKind, Readonly<Partial<Record<Setting, string>>>>>> = {
  missing: {
    for: '`missing.after` is how long it waits',
    of: 'while no readings come there are none to count',
  },
  stuck: {
    for: '`stuck.after` is how long it waits',
    of: 'each reading already says how long the value has not moved',
  },
  when: {
    of: 'the metrics come at their own pace, and the fastest would count most; `for` waits instead',
  },
}

/** Why a setting has no place beside a condition; null when it has. */
export const whyMeaningless = (kind: ConditionKind, setting: Setting): string | null =>
  MEANINGLESS[kind]?.[setting] ?? null
