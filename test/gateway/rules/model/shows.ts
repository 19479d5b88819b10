import type { Condition, Limit, Rule, Step, StepName, Test } from '../../../../gateway/rules/rule.ts'
import type { Millis, Reading, ReadingValue } from '../../../../sync/contract/index.ts'

/** A reading that was taken in, and the event time at which it counts. */
export interface Taken {
  reading: Reading
  at: Millis
}

/** A decision so close that rounding could turn it: the run says nothing. */
export class TooClose extends Error {}

/**
 * What the newest of all readings shows, by the definition of its kind of condition: its name, null for none, undefined when it says
 * nothing about it. Slow on purpose: looks at the whole history each time.
 *
 * @param active the condition as it counts when the reading comes
 */
export function shows(
  condition: Condition,
  history: readonly Taken[],
  active: string | null,
): string | null | undefined {
  const newest = history.at(-1)
  if (!newest) throw new Error('no reading')
  const { value } = newest.reading
  if (condition.kind === 'stuck')
    return stuckSince(history, condition.tolerance) + condition.after <= newest.at ? 'stuck' : null
  if (condition.kind === 'when')
    return truth(condition.all, newestValues(history), active !== null) === 1 ? 'true' : null
  if (condition.kind === 'missing') return undefined
  const numbers = history.flatMap(({ reading, at }) => numberOf(reading.value).map((number) => ({ number, at })))
  const [number] = numberOf(value)
  if (number === undefined) return undefined
  const above = (level: Limit, on: boolean): boolean => number > (on ? level.clear : level.raise)
  const below = (level: Limit, on: boolean): boolean => number < (on ? level.clear : level.raise)
  switch (condition.kind) {
    case 'above':
      return above(condition.limit, active === 'high') ? 'high' : null
    case 'below':
      return below(condition.limit, active === 'low') ? 'low' : null
    case 'outside':
      if (above(condition.high, active === 'high')) return 'high'
      return below(condition.low, active === 'low') ? 'low' : null
    case 'inside': {
      const [low, high] =
        active === null ? [condition.low.raise, condition.high.raise] : [condition.low.clear, condition.high.clear]
      return low <= number && number <= high ? 'inside' : null
    }
    case 'ladder':
      return step(condition.steps, number, active)
    case 'rate': {
      const rate = rateOf(numbers, condition.per, condition.over)
      if (rate === null) return undefined
      if (condition.rise && exceeds(rate, condition.rise, active === 'rise')) return 'rise'
      return condition.fall && exceeds(-rate, condition.fall, active === 'fall') ? 'fall' : null
    }
    case 'deviation': {
      const before = numbers.slice(0, -1).map((one) => one.number)
      if (before.length < condition.warmup) return undefined
      const sigmas = sigmasOf(number, before, condition.alpha, condition.floor)
      return exceeds(sigmas, condition.limit, active !== null) ? 'deviation' : null
    }
  }
}

const numberOf = (value: ReadingValue): number[] => (typeof value === 'string' ? [] : [Number(value)])

function exceeds(computed: number, { raise, clear }: Limit, on: boolean): boolean {
  const level = on ? clear : raise
  if (computed !== level && Math.abs(computed - level) < 1e-6) throw new TooClose()
  return computed > level
}

/** A step holds beyond its raise level, and, when it or one further out counts, beyond its clear level. The outermost wins. */
function step(
  steps: Readonly<Partial<Record<StepName, Step>>>,
  number: number,
  active: string | null,
): StepName | null {
  const high = (name: StepName, orFurther: readonly string[]): boolean => {
    const level = steps[name]
    return level !== undefined && number > (orFurther.includes(active ?? '') ? level.clear : level.raise)
  }
  const low = (name: StepName, orFurther: readonly string[]): boolean => {
    const level = steps[name]
    return level !== undefined && number < (orFurther.includes(active ?? '') ? level.clear : level.raise)
  }
  if (high('hihi', ['hihi'])) return 'hihi'
  if (high('hi', ['hi', 'hihi'])) return 'hi'
  if (low('lolo', ['lolo'])) return 'lolo'
  return low('lo', ['lo', 'lolo']) ? 'lo' : null
}

/** From the last reading that is at least `over` old, or else from the (last one of the) oldest if that is half as old. */
function rateOf(numbers: readonly { number: number; at: Millis }[], per: Millis, over: Millis): number | null {
  const newest = numbers.at(-1)
  const oldest = numbers[0]
  const base =
    numbers.findLast(({ at }) => newest && newest.at - at >= over) ?? numbers.findLast(({ at }) => at === oldest?.at)
  if (!newest || !base) return null
  const elapsed = newest.at - base.at
  return elapsed === 0 || elapsed < over / 2 ? null : ((newest.number - base.number) * per) / elapsed
}

/** By the definition: the newest of `before` weighs alpha, each earlier one (1 - alpha) of the next, the first all that is left. */
function sigmasOf(number: number, before: readonly number[], alpha: number, floor: number): number {
  const weights = before.map((_, i) => (i === 0 ? 1 : alpha) * (1 - alpha) ** (before.length - 1 - i))
  const weighed = (of: (one: number) => number): number =>
    before.reduce((sum, one, i) => sum + (weights[i] ?? 0) * of(one), 0)
  const same = before.every((one) => one === before[0])
  const mean = same ? (before[0] ?? 0) : weighed((one) => one)
  const variance = same ? 0 : weighed((one) => (one - mean) ** 2)
  const sigma = Math.max(Math.sqrt(variance), floor)
  const distance = Math.abs(number - mean)
  return sigma === 0 && distance === 0 ? 0 : distance / sigma
}

/** When the value last moved: the first that is like all after it in the last stretch. */
function stuckSince(history: readonly Taken[], tolerance: number): Millis {
  const like = (one: ReadingValue, other: ReadingValue): boolean =>
    typeof one === 'number' && typeof other === 'number' ? Math.abs(one - other) <= tolerance : one === other
  let from = history[0]
  for (const taken of history) if (!from || !like(from.reading.value, taken.reading.value)) from = taken
  return from?.at ?? 0
}

const newestValues = (history: readonly Taken[]): ReadonlyMap<string, ReadingValue> =>
  new Map(history.map(({ reading }) => [reading.metric, reading.value]))

/** 1 = true, -1 = false, 0 = unknown. */
function truth(test: Test, values: ReadonlyMap<string, ReadingValue>, active: boolean): number {
  if ('all' in test) return Math.min(...test.all.map((part) => truth(part, values, active)))
  if ('any' in test) return Math.max(...test.any.map((part) => truth(part, values, active)))
  // While `not x` holds, x does not: it has to come up to its raise level to end that.
  if ('not' in test) return 0 - truth(test.not, values, !active)
  const value = values.get(test.metric)
  if (value === undefined) return 0
  if ('is' in test) return value === test.is ? 1 : -1
  const [number] = numberOf(value)
  if (number === undefined) return 0
  const holds =
    'above' in test
      ? number > (active ? test.above.clear : test.above.raise)
      : number < (active ? test.below.clear : test.below.raise)
  return holds ? 1 : -1
}

/** Whether going from one condition to another makes it worse: more urgent, or as urgent and further out. */
export function isWorse({ condition, severity }: Rule, from: string, to: string): boolean {
  const order = ['info', 'low', 'medium', 'high', 'critical']
  const weight = (name: string): number => {
    const own = condition.kind === 'ladder' ? condition.steps[name as StepName]?.severity : undefined
    return order.indexOf(own ?? severity) * 10 + (name === 'hihi' || name === 'lolo' ? 1 : 0)
  }
  return weight(to) > weight(from)
}
