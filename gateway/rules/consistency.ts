import type { Explanation } from '../config/index.ts'
import { metricsOf } from './condition/index.ts'
import { type LadderSource, misorders } from './ladder-order.ts'
import { whyMeaningless } from './meaning.ts'
import { STEPS } from './rule.ts'
import { CONDITION_KINDS, type ConditionKind, type OverrideInput, type RuleInput, type Setting } from './schema.ts'
import { matchesMeet, within } from './selection.ts'

type Path = readonly PropertyKey[]

/** Ids that are given to several rules. @param rules as they are written, whatever they are */
export function repeatedIds(rules: readonly unknown[]): Explanation[] {
  const first = new Map<unknown, number>()
  return rules.flatMap((rule, index) => {
    const id = isSection(rule) ? rule['id'] : undefined
    if (typeof id !== 'string') return []
    const before = first.get(id)
    if (before === undefined) {
      first.set(id, index)
      return []
    }
    return [{ path: ['rules', index, 'id'], message: `expected an id of its own, but rules[${before}] is '${id}' too` }]
  })
}

/**
 * What is wrong with the conditions of a rule and of its overrides, as far as their keys tell: a rule has exactly one, an
 * override none or another one of the same kind, and something to change.
 *
 * @param rule as it is written, whatever it is
 */
export function conditionFaults(rule: unknown, path: Path): Explanation[] {
  if (!isSection(rule)) return []
  const kinds = kindsIn(rule)
  const [kind] = kinds
  const overrides: readonly unknown[] = Array.isArray(rule['overrides']) ? rule['overrides'] : []
  const faults = overrides.flatMap((override, index) =>
    isSection(override) ? overrideFaults(override, [...path, 'overrides', index], kinds) : [],
  )
  if (kind !== undefined && kinds.length === 1) return faults
  const got = kinds.length === 0 ? 'none' : kinds.join(' and ')
  return [{ path, message: `expected exactly one condition (${oneOf(CONDITION_KINDS)}), got ${got}` }, ...faults]
}

function overrideFaults(override: Section, path: Path, kinds: readonly ConditionKind[]): Explanation[] {
  if (Object.keys(override).every((key) => key === 'match'))
    return [{ path, message: 'expected something that it changes beside `match`' }]
  // Which one would be right is not known before the rule has one.
  if (kinds.length !== 1) return []
  return kindsIn(override)
    .filter((kind) => kind !== kinds[0])
    .map((kind) => ({
      path: [...path, kind],
      message: `expected no other condition than that of its rule (${kinds[0]}), got ${kind}`,
    }))
}

/** What is wrong between the keys of a rule that has the right shape, and exactly one condition. */
export function ruleFaults(rule: RuleInput, path: Path): Explanation[] {
  const [kind] = kindsIn(rule)
  if (kind === undefined) return []
  return [
    ...metricFaults(rule, path),
    ...meaninglessSettings(kind, rule, path),
    ...rule.overrides.flatMap((override, index) => [
      ...meaninglessSettings(kind, override, [...path, 'overrides', index]),
      ...unreachable(rule, override, [...path, 'overrides', index]),
    ]),
    ...ladderFaults(rule, path),
  ]
}

/** A test over several metrics names them itself; an override of it holds for the device, not for one of the metrics. */
function metricFaults({ when, match, overrides }: RuleInput, path: Path): Explanation[] {
  if (when === undefined) return []
  const metrics = metricsOf(when)
  const faults: Explanation[] = []
  if (match.metric !== '*')
    faults.push({
      path: [...path, 'match', 'metric'],
      message: `expected no metric: \`when\` names those that it looks at (${[...new Set(metrics)].join(', ')}), got '${match.metric}'`,
    })
  for (const [index, override] of overrides.entries()) {
    const at = [...path, 'overrides', index]
    if (override.match.metric !== undefined)
      faults.push({
        path: [...at, 'match', 'metric'],
        message: `expected no metric: the rule decides once for all its metrics, got '${override.match.metric}'`,
      })
    if (override.match.labels !== undefined)
      faults.push({
        path: [...at, 'match', 'labels'],
        message: 'expected no labels: the rule decides once for all its metrics, and each has labels of its own',
      })
    const others = override.when ? metricsOf(override.when).filter((metric) => !metrics.includes(metric)) : []
    if (others.length > 0)
      faults.push({
        path: [...at, 'when'],
        message: `expected metrics that the rule itself names (${[...new Set(metrics)].join(', ')}), got ${others.join(', ')}`,
      })
  }
  return faults
}

function meaninglessSettings(kind: ConditionKind, given: object, path: Path): Explanation[] {
  return Object.entries(given).flatMap(([key, value]) => {
    const why = value === undefined ? null : whyMeaningless(kind, key as Setting)
    return why === null ? [] : [{ path: [...path, key], message: `expected no \`${key}\` with ${kind}: ${why}` }]
  })
}

function unreachable(rule: RuleInput, { match }: OverrideInput, path: Path): Explanation[] {
  if (matchesMeet(rule.match, within(rule.match, match))) return []
  return [{ path: [...path, 'match'], message: 'expected a part of what the rule is about, but nothing can fit both' }]
}

function ladderFaults(rule: RuleInput, path: Path): Explanation[] {
  return misorders(rule).map(({ lower, upper, why }) => {
    // Said where it is more specific: that is what was added to something that was in order.
    const [here, there] = isMoreSpecific(lower.source, upper.source) ? [lower, upper] : [upper, lower]
    const mixed =
      here.source === there.source
        ? ''
        : `; ${there.step} is that of ${nameOf(there.source)}, which may hold for the same series`
    return {
      path: [...path, ...(here.source === 'rule' ? [] : ['overrides', here.source]), 'ladder', here.step],
      message: `expected levels in the order ${STEPS.join(' < ')}, but ${why}${mixed}`,
    }
  })
}

const isMoreSpecific = (one: LadderSource, other: LadderSource): boolean =>
  one !== 'rule' && (other === 'rule' || one > other)

const nameOf = (source: LadderSource): string => (source === 'rule' ? 'the rule' : `overrides[${source}]`)

type Section = Readonly<Record<string, unknown>>

const isSection = (value: unknown): value is Section =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const kindsIn = (given: object): ConditionKind[] =>
  CONDITION_KINDS.filter((kind) => (given as Section)[kind] !== undefined)

const oneOf = (words: readonly string[]): string => `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
