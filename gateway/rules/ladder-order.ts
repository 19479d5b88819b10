import type { Match, StepName } from './rule.ts'
import { STEPS } from './rule.ts'
import type { RuleInput } from './schema.ts'
import { byRank, compileMatch, matchesMeet, within } from './selection.ts'

type Steps = NonNullable<RuleInput['ladder']>
type Level = NonNullable<Steps[StepName]>

/** Where steps are written: in the rule itself, or in its n-th override. */
export type LadderSource = 'rule' | number

/** Two steps in the wrong order, and where each of them is written. `why` says what is wrong between them. */
export interface Misorder {
  lower: { step: StepName; source: LadderSource }
  upper: { step: StepName; source: LadderSource }
  why: string
}

interface Layer {
  source: LadderSource
  match: Match
  steps: Steps
}

/**
 * Steps that would not be in order (lolo < lo < hi < hihi) for some series. An override replaces single steps, so those that one
 * series gets may be written in several places. It is enough to look at two places at a time: a step comes from the most
 * specific place that has it, so two steps of different places meet exactly when the more specific one lacks the other's step.
 *
 * At most one misorder for each two places.
 */
export function misorders(rule: RuleInput): Misorder[] {
  if (rule.ladder === undefined) return []
  const base: Layer = { source: 'rule', match: rule.match, steps: rule.ladder }
  const overrides = rule.overrides.flatMap(({ match, ladder }, index) => {
    const part = within(rule.match, match)
    return ladder ? [{ source: index, match: part, steps: ladder, selector: compileMatch(part) }] : []
  })
  const found: Misorder[] = []
  // Thousands of overrides, one a device, are usual: those of different devices need not be compared.
  const wide: Layer[] = []
  const ofDevice = new Map<string, Layer[]>()
  for (const layer of [base, ...overrides.sort(byRank)]) {
    const own = firstMisorder(layer, layer)
    if (own) found.push(own)
    const { device } = layer.match
    const narrow = ofDevice.get(device) ?? []
    for (const general of [...wide, ...narrow]) {
      const mixed = firstMisorder(general, layer)
      if (mixed && matchesMeet(general.match, layer.match)) found.push(mixed)
    }
    // Patterns are less specific than whole names: they all come before the first device.
    if (layer === base || device.includes('*')) wide.push(layer)
    else ofDevice.set(device, [...narrow, layer])
  }
  return found
}

/** The first two steps in the wrong order, one of each layer (or both of the same); null when there are none. */
function firstMisorder(general: Layer, specific: Layer): Misorder | null {
  for (const [i, upper] of STEPS.entries())
    for (const lower of STEPS.slice(0, i))
      for (const [low, high] of general === specific
        ? [[specific, specific] as const]
        : [[general, specific] as const, [specific, general] as const]) {
        const [lowLevel, highLevel] = [low.steps[lower], high.steps[upper]]
        if (!lowLevel || !highLevel) continue
        const replaced = general !== specific && specific.steps[low === general ? lower : upper] !== undefined
        const why = replaced ? null : whyMisordered(lower, lowLevel, upper, highLevel)
        if (why !== null)
          return { lower: { step: lower, source: low.source }, upper: { step: upper, source: high.source }, why }
      }
  return null
}

function whyMisordered(lower: StepName, low: Level, upper: StepName, high: Level): string | null {
  if (low.raise >= high.raise) return `${lower} (${low.raise}) is not below ${upper} (${high.raise})`
  const isLow = (step: StepName): boolean => step === 'lo' || step === 'lolo'
  if (!isLow(lower) || isLow(upper)) return null
  // Else a value beyond one end would still be told as beyond the other.
  if (low.clear > high.raise) return `${lower} clears at ${low.clear}, above ${upper} (${high.raise})`
  if (high.clear < low.raise) return `${upper} clears at ${high.clear}, below ${lower} (${low.raise})`
  return null
}
