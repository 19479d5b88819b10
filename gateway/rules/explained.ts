import type { Rule } from './rule.ts'
import type { Selected, Source } from './rule-set.ts'

/** A rule as it holds for one series, for people: plain JSON. */
export interface ExplainedRule extends Rule {
  revision: string
  /** Who gave each key: `defaults`, `rule`, or `overrides[N]`. What nobody gave has its usual value. */
  from: Record<string, string>
}

export function explained({ rule, revision, sources }: Selected): ExplainedRule {
  const said = (source: Source): string => (typeof source === 'number' ? `overrides[${source}]` : source)
  return { ...rule, revision, from: Object.fromEntries([...sources].map(([key, source]) => [key, said(source)])) }
}
