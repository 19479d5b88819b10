import { type Limit, type Rule, SEVERITIES, type Severity, STEPS, type StepName } from './rule.ts'

const isStep = (name: string): name is StepName => (STEPS as readonly string[]).includes(name)

/** How urgent a rule's alarm is while a condition holds; each step of a ladder has a severity of its own. */
export function severityOf({ condition, severity }: Rule, active: string | null): Severity {
  if (condition.kind !== 'ladder' || active === null || !isStep(active)) return severity
  return condition.steps[active]?.severity ?? severity
}

/** The level that was crossed, where there is one. */
export function limitOf({ condition }: Rule, active: string | null): number | null {
  return active === null ? null : (levelOf(condition, active)?.raise ?? null)
}

function levelOf(condition: Rule['condition'], active: string): Limit | null {
  switch (condition.kind) {
    case 'above':
    case 'below':
    case 'deviation':
      return condition.limit
    case 'outside':
      return active === 'high' ? condition.high : condition.low
    case 'ladder':
      return isStep(active) ? (condition.steps[active] ?? null) : null
    case 'rate':
      return active === 'rise' ? condition.rise : condition.fall
    default:
      return null
  }
}

/** How far from normal a step is. */
const reach = (name: string): number => (name === 'hihi' || name === 'lolo' ? 2 : 1)

/** Whether going from one condition to another makes it worse: more urgent, or as urgent and further out. */
export function isWorse(rule: Rule, from: string, to: string): boolean {
  const [before, after] = [from, to].map((name) => SEVERITIES.indexOf(severityOf(rule, name)))
  if (before !== after) return (after ?? 0) < (before ?? 0)
  return reach(to) > reach(from)
}
