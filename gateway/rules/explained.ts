import type { Rule } from './rule.ts'
import type { Selected, Source } from './rule-set.ts'

/** A rule as it holds for one series, for people: plain JSON. */
export interface ExplainedRule extends Rule {
  revision: string
  /** Who gave each key: `defaults`, `rule`, or `overrides[N]`. What nobody gave has its usual value. */
  from: Record<string, string>
  /** The overrides that fit the series, by the same name, and what they look for. */
  overrides: { name: string; match: object }[]
  /** Values that were given for the series and do not hold, and who holds instead; of a ladder only those of its steps that were given again do not. */
  lost: { key: string; value: unknown; from: string; to: string }[]
}

/** Puts the choice among the layers of a rule into words. */
export function explained({ rule, revision, sources, outweighed, overrides }: Selected): ExplainedRule {
  return {
    ...rule,
    revision,
    from: Object.fromEntries([...sources].map(([key, source]) => [key, said(source)])),
    overrides: overrides.map(({ index, match }) => ({ name: said(index), match })),
    lost: outweighed.map(({ key, value, source }) => ({
      key,
      value,
      from: said(source),
      to: said(sources.get(key) ?? source),
    })),
  }
}

const said = (source: Source): string => (typeof source === 'number' ? `overrides[${source}]` : source)
