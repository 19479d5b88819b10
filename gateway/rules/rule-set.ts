import { createHash } from 'node:crypto'
import type { Millis } from '../../sync/contract/index.ts'
import { metricsOf } from './condition/index.ts'
import { whyMeaningless } from './meaning.ts'
import type { Condition, Limit, Rule, Step, StepName } from './rule.ts'
import { STEPS } from './rule.ts'
import {
  CONDITION_KINDS,
  type ConditionKind,
  type OverrideInput,
  type RuleInput,
  type RuleSetInput,
  type Setting,
  type SettingsInput,
} from './schema.ts'
import { byRank, compileMatch, type Selector, type SeriesNames, within } from './selection.ts'

/** Where a value of a rule comes from: the defaults, the rule itself, or its n-th override (0 = the first in the file). */
export type Source = 'defaults' | 'rule' | number

/** A rule as it holds for one series, and why. */
export interface Selected {
  rule: Rule
  /** What of it decides: changes exactly when the rule may decide otherwise than before. */
  revision: string
  /** Changes whenever anything of the rule does. */
  key: string
  /** The keys that were given somewhere, and by whom. */
  sources: ReadonlyMap<string, Source>
  /** Values that were given for the series and do not hold: a more specific match gave another. Weakest first. */
  outweighed: readonly Outweighed[]
  /** The overrides that fit the series, least specific first. */
  overrides: readonly { index: number; match: OverrideInput['match'] }[]
  /** Whether the rule's own pattern fits several metrics of a device, so that an alarm must name its metric. */
  many: boolean
}

/** A value of a rule that was given, and does not hold. */
export interface Outweighed {
  key: string
  value: unknown
  source: Source
}

interface CompiledOverride {
  selector: Selector
  index: number
  input: OverrideInput
}

interface CompiledRule {
  selector: Selector
  input: RuleInput
  /** Those of its set. */
  defaults: SettingsInput
  /** Place in the order of all rules. */
  order: number
  overrides: readonly CompiledOverride[]
  /** What was resolved before, by the overrides that fitted: series share it. */
  resolved: Map<string, Selected>
}

const BASE = {
  enabled: true,
  severity: 'medium',
  message: '{device} {metric}: {condition} {kind} ({value}{unit})',
  labels: {},
  for: 0,
  clearFor: 0,
  of: null,
  latch: false,
  reraiseAfter: 0,
  flood: null,
} satisfies Omit<Rule, 'id' | 'condition'>

const SETTINGS = Object.keys(BASE) as Setting[]

/** One or more valid rule sets taken together: tells which rules hold for a series. */
export class RuleSet {
  /** Hash of everything in it. */
  readonly revision: string
  /** Readings are put in the order of their time if they are at most this late. */
  readonly lateness: Millis
  readonly #rules: readonly CompiledRule[]
  /** Rules for one device, by its name: there may be thousands. */
  readonly #ofDevice = new Map<string, CompiledRule[]>()
  /** The others: for one metric, by its name, */
  readonly #ofMetric = new Map<string, CompiledRule[]>()
  /** and those that say neither. */
  readonly #ofAny: CompiledRule[] = []

  constructor(...inputs: RuleSetInput[]) {
    // A set without rules asks for nothing.
    this.lateness = Math.max(0, ...inputs.filter(({ rules }) => rules.length > 0).map(({ lateness }) => lateness))
    this.#rules = inputs.flatMap(({ defaults, rules }) => rules.map((rule) => compile(rule, defaults)))
    for (const [order, rule] of this.#rules.entries()) {
      rule.order = order
      const { device, metric } = rule.input.match
      if (!device.includes('*')) push(this.#ofDevice, device, rule)
      else if (!metric.includes('*')) push(this.#ofMetric, metric, rule)
      else this.#ofAny.push(rule)
    }
    this.revision = hash(inputs)
  }

  /** How many rules there are. */
  get size(): number {
    return this.#rules.length
  }

  /** The ids of its rules, in the order of the file. */
  get ids(): readonly string[] {
    return this.#rules.map(({ input }) => input.id)
  }

  /** The rules for a series, in the order of the file, with the overrides that fit it; the most specific wins, key by key. */
  select(names: SeriesNames): Selected[] {
    const candidates = [
      ...(this.#ofDevice.get(names.device) ?? []),
      ...(this.#ofMetric.get(names.metric) ?? []),
      ...this.#ofAny,
    ]
    return candidates
      .filter(({ selector, input }) => appliesTo(input, names) && selector.matches(names))
      .sort((one, other) => one.order - other.order)
      .map((rule) => this.#resolve(rule, names))
  }

  #resolve(rule: CompiledRule, names: SeriesNames): Selected {
    const fitting = rule.overrides.filter(({ selector }) => selector.matches(names)).sort(byRank)
    const key = fitting.map(({ index }) => index).join()
    const known = rule.resolved.get(key)
    if (known) return known
    const selected = this.#layer(rule, fitting)
    rule.resolved.set(key, selected)
    return selected
  }

  /** @param fitting least specific first */
  #layer({ input, defaults }: CompiledRule, fitting: readonly CompiledOverride[]): Selected {
    const layers: [Source, SettingsInput & Partial<RuleInput>][] = [
      ['defaults', defaults],
      ['rule', input],
      ...fitting.map(({ index, input: override }): [Source, Partial<RuleInput>] => [
        index,
        override as Partial<RuleInput>,
      ]),
    ]
    const kind = kindOf(input)
    const sources = new Map<string, Source>()
    const outweighed: Outweighed[] = []
    const settings: Record<string, unknown> = { ...BASE }
    for (const [source, layer] of layers)
      for (const key of SETTINGS) {
        if (layer[key] === undefined) continue
        // What is meant for all rules is meant for those to which it can mean something.
        if (source === 'defaults' && whyMeaningless(kind, key) !== null) continue
        const before = sources.get(key)
        if (before !== undefined) outweighed.push({ key, value: settings[key], source: before })
        settings[key] = layer[key]
        sources.set(key, source)
      }
    let given = input[kind]
    for (const [source, layer] of layers) {
      const own = source === 'defaults' ? undefined : layer[kind]
      if (own === undefined) continue
      const before = sources.get(kind)
      if (before !== undefined) outweighed.push({ key: kind, value: given, source: before })
      given = kind === 'ladder' ? ({ ...(given as object), ...defined(own as object) } as typeof given) : own
      sources.set(kind, source)
    }
    const rule = {
      ...(settings as typeof BASE),
      id: input.id,
      condition: conditionOf(kind, given, (settings as unknown as Rule).severity),
    } as Rule
    const { message: _, labels: __, severity: ___, flood: ____, ...decides } = rule
    const many = kind !== 'when' && input.match.metric.includes('*')
    return {
      rule,
      revision: hash(decides),
      key: hash(rule),
      sources,
      outweighed,
      overrides: fitting.map(({ index, input: { match } }) => ({ index, match })),
      many,
    }
  }
}

const compile = (input: RuleInput, defaults: SettingsInput): CompiledRule => ({
  selector: compileMatch(input.match),
  input,
  defaults,
  order: 0,
  overrides: input.overrides.map((override, index) => ({
    selector: compileMatch(within(input.match, override.match)),
    index,
    input: override,
  })),
  resolved: new Map(),
})

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list) list.push(item)
  else lists.set(key, [item])
}

/** A rule over several metrics is not asked about metrics that it does not name. */
const appliesTo = (rule: RuleInput, { metric }: SeriesNames): boolean =>
  rule.when === undefined || metricsOf(rule.when).includes(metric)

/** The one condition that a rule has (`checkRules` sees to that). */
function kindOf(rule: Partial<RuleInput>): ConditionKind {
  const kind = CONDITION_KINDS.find((name) => rule[name] !== undefined)
  if (kind === undefined) throw new TypeError('a rule without a condition')
  return kind
}

function conditionOf(kind: ConditionKind, given: unknown, severity: Rule['severity']): Condition {
  switch (kind) {
    case 'above':
    case 'below':
      return { kind, limit: given as Limit }
    case 'outside': {
      const { low, high, hysteresis = 0 } = given as NonNullable<RuleInput['outside']>
      return {
        kind,
        low: { raise: low, clear: low + hysteresis },
        high: { raise: high, clear: high - hysteresis },
      }
    }
    case 'inside': {
      const { low, high, hysteresis = 0 } = given as NonNullable<RuleInput['inside']>
      return {
        kind,
        low: { raise: low, clear: low - hysteresis },
        high: { raise: high, clear: high + hysteresis },
      }
    }
    case 'ladder': {
      const input = given as NonNullable<RuleInput['ladder']>
      const steps: Partial<Record<StepName, Step>> = {}
      for (const name of STEPS) {
        const step = input[name]
        if (step) steps[name] = { ...step, severity: step.severity ?? severity }
      }
      return { kind, steps }
    }
    case 'rate': {
      const { rise = null, fall = null, per, over } = given as NonNullable<RuleInput['rate']>
      return { kind, rise, fall, per, over }
    }
    case 'stuck':
      return { kind, ...(given as NonNullable<RuleInput['stuck']>) }
    case 'missing':
      return { kind, ...(given as NonNullable<RuleInput['missing']>) }
    case 'deviation': {
      const { sigmas, weight, warmup, floor } = given as NonNullable<RuleInput['deviation']>
      return { kind, limit: sigmas, alpha: weight, warmup, floor }
    }
    case 'when':
      return { kind, all: given as NonNullable<RuleInput['when']> }
  }
}

const defined = (object: object): object =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))

/** Names what a rule set says, however it was written. */
export const ruleSetRevision = (input: RuleSetInput): string => hash(input)

/** Of the content, whatever the order in which its keys were written. */
function hash(value: unknown): string {
  return createHash('sha256').update(canonical(value)).digest('hex').slice(0, 16)
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value)
    .filter(([, child]) => child !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, child]) => `${JSON.stringify(key)}:${canonical(child)}`).join(',')}}`
}
