import { compilePattern, type Pattern, patternsMeet } from './pattern.ts'
import type { Match } from './rule.ts'

/** Names of one series. */
export interface SeriesNames {
  device: string
  metric: string
  labels: Readonly<Record<string, string>>
}

/** How specific a match is, part by part; compared in this order. */
type Rank = readonly [device: number, metric: number, labels: number]

/** What an override is about: a part of what its rule is about. What it does not say is as in the rule. */
export const within = (rule: Match, override: Partial<Undefinable<Match>>): Match => ({
  device: override.device ?? rule.device,
  metric: override.metric ?? rule.metric,
  labels: { ...rule.labels, ...override.labels },
})

type Undefinable<T> = { [K in keyof T]: T[K] | undefined }

/** A compiled `Match`. */
export interface Selector {
  matches(names: SeriesNames): boolean
  rank: Rank
}

export function compileMatch({ device, metric, labels }: Match): Selector {
  const devices = compilePattern(device)
  const metrics = compilePattern(metric)
  const wanted = Object.entries(labels).map(([name, text]) => [name, compilePattern(text)] as const)
  return {
    matches: (names) =>
      devices.matches(names.device) && metrics.matches(names.metric) && wanted.every((one) => hasLabel(names, one)),
    rank: [
      devices.specificity,
      metrics.specificity,
      wanted.reduce((sum, [, pattern]) => sum + 1 + pattern.specificity, 0),
    ],
  }
}

/** Whether there can be a series that both are about. */
export function matchesMeet(one: Match, other: Match): boolean {
  return (
    patternsMeet(one.device, other.device) &&
    patternsMeet(one.metric, other.metric) &&
    Object.entries(one.labels).every(([name, pattern]) => {
      const wanted = Object.hasOwn(other.labels, name) ? other.labels[name] : undefined
      return wanted === undefined || patternsMeet(pattern, wanted)
    })
  )
}

const hasLabel = ({ labels }: SeriesNames, [name, pattern]: readonly [string, Pattern]): boolean => {
  const value = Object.hasOwn(labels, name) ? labels[name] : undefined
  return value !== undefined && pattern.matches(value)
}

/** Least specific first; of equals, in the order of the file, so that the later one wins. */
export const byRank = (one: { selector: Selector }, other: { selector: Selector }): number => {
  const [a, b] = [one.selector.rank, other.selector.rank]
  return a[0] - b[0] || a[1] - b[1] || a[2] - b[2]
}
