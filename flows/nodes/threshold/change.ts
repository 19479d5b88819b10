import { UsageError } from '../../../sync/contract/index.ts'
import type { Message } from '../red.ts'
import type { RuleDraft } from '../shared/index.ts'
import { KINDS } from './form.ts'

/** What a message has changed about a rule: keys that replace those of the form; null takes one away. */
export type RuleChange = Readonly<Record<string, unknown>>

/** The rule with a change applied. A condition of another kind takes the place of the one there is. */
export function changedRule(rule: RuleDraft, change: RuleChange): RuleDraft {
  const merged = { ...merge(rule, change), id: rule.id }
  return Object.fromEntries(Object.entries(merged).filter(([, value]) => value !== null)) as RuleDraft
}

/**
 * What a message asks for, added to the change that is in force; null = back to the form.
 *
 * - `msg.reset`: true: back to what the form says
 * - `msg.limits`: a number (above, below), or those numbers of the condition that are to change (`{hi: 80}`, `{low: 2, high: 8}`)
 * - `msg.rule`: keys of a rule that are to change (`{severity: 'high', for: '1m'}`)
 *
 * @throws UsageError `MESSAGE_INVALID` when it asks for nothing, or for something that cannot be
 */
export function changeOf(message: Message, rule: RuleDraft, now: RuleChange | null): RuleChange | null {
  const { reset, limits, rule: keys } = message
  if (reset !== undefined && reset !== false && reset !== null) return null
  if (limits === undefined && keys === undefined) {
    throw new UsageError('MESSAGE_INVALID', 'expected msg.limits, msg.rule or msg.reset, got none of them')
  }
  let change: RuleChange = { ...now }
  if (keys !== undefined) change = merge(change, checkedKeys(keys, rule.id))
  if (limits !== undefined) change = merge(change, newLimits(limits, changedRule(rule, change)))
  return change
}

/** The later word counts; a rule has one condition, so a new one takes the place of any other. */
function merge(before: RuleChange, later: RuleChange): RuleChange {
  const replaces = KINDS.some((kind) => later[kind] !== undefined && later[kind] !== null)
  const kept = Object.entries(before).filter(([key]) => !replaces || !isKind(key))
  return { ...Object.fromEntries(kept), ...later }
}

function checkedKeys(keys: unknown, id: string): RuleChange {
  if (!isObject(keys)) throw new UsageError('MESSAGE_INVALID', `msg.rule: expected an object, got ${shown(keys)}`)
  if (keys['id'] !== undefined && keys['id'] !== id) {
    throw new UsageError(
      'MESSAGE_INVALID',
      `msg.rule.id: the id of a rule stays the same ('${id}'), got ${shown(keys['id'])}`,
    )
  }
  return keys
}

function newLimits(limits: unknown, rule: RuleDraft): RuleChange {
  const kind = Object.keys(rule).find(isKind)
  if (kind === undefined || kind === 'when') {
    throw new UsageError(
      'MESSAGE_INVALID',
      `msg.limits: a rule of kind '${kind ?? 'none'}' has no limits; use msg.rule`,
    )
  }
  const plain = kind === 'above' || kind === 'below'
  if (plain && isNumber(limits)) return { [kind]: limits }
  if (!isObject(limits) || !Object.values(limits).every(isLimit)) {
    const expected = plain ? 'a number, or {raise, clear}' : `numbers and durations of '${kind}'`
    throw new UsageError('MESSAGE_INVALID', `msg.limits: expected ${expected}, got ${shown(limits)}`)
  }
  // An old clear level could be on the wrong side of a new level to raise at.
  const before = plain ? {} : isObject(rule[kind]) ? rule[kind] : {}
  return { [kind]: { ...before, ...limits } }
}

const isKind = (key: string): boolean => (KINDS as readonly string[]).includes(key)

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

const isLimit = (value: unknown): boolean =>
  isNumber(value) || typeof value === 'string' || (isObject(value) && Object.values(value).every(isLimit))

const shown = (value: unknown): string => (JSON.stringify(value) ?? String(value)).slice(0, 100)
