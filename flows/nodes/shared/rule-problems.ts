import { OperatorError } from '../../../sync/contract/index.ts'
import type { GatewayRefusedError } from '../../api/index.ts'

/** A rule as the gateway takes it (gateway/rules/schema.ts). Checked there: there is one schema, and it is not here. */
export type RuleDraft = Readonly<Record<string, unknown>> & { readonly id: string }

export interface RuleEntry {
  /** What people call the node. */
  readonly label: string
  /** @throws UsageError when what was typed in makes no rule */
  rule(): RuleDraft
}

/** The rules were not deployed: `RULES_NOT_DEPLOYED`. Says which entries are to blame, and for what. */
export class RuleProblem extends OperatorError {
  readonly of: ReadonlyMap<RuleEntry, readonly string[]>

  constructor(of: ReadonlyMap<RuleEntry, readonly string[]>, message = textOf(of)) {
    super('RULES_NOT_DEPLOYED', message)
    this.of = of
  }

  /** Finds the entries that the gateway's problems are about: it knows them by their place in the set. */
  static ofRefusal(refusal: GatewayRefusedError, entries: readonly RuleEntry[]): RuleProblem {
    const of = new Map<RuleEntry, string[]>()
    for (const { path, message } of refusal.problems) {
      const [, index, rest = ''] = /^rules\[(\d+)\]\.?(.*)$/.exec(path) ?? []
      const entry = index === undefined ? undefined : entries[Number(index)]
      if (entry !== undefined) of.set(entry, [...(of.get(entry) ?? []), rest === '' ? message : `${rest}: ${message}`])
    }
    return of.size > 0 ? new RuleProblem(of) : new RuleProblem(of, refusal.message)
  }
}

const textOf = (of: ReadonlyMap<RuleEntry, readonly string[]>): string =>
  `no rule was deployed: ${[...of].map(([{ label }, texts]) => `'${label}': ${texts.join('; ')}`).join(' / ')}`

/** What can be seen without the gateway: forms that make no rule, and two nodes of the same name. */
export function troublesOf(entries: readonly RuleEntry[]): Map<RuleEntry, string[]> {
  const troubles = new Map<RuleEntry, string[]>()
  const byId = new Map<string, RuleEntry>()
  for (const entry of entries) {
    try {
      const { id } = entry.rule()
      const other = byId.get(id)
      if (other !== undefined) {
        const text = `two threshold nodes have the rule id '${id}'`
        troubles.set(entry, [text])
        troubles.set(other, [text])
      }
      byId.set(id, entry)
    } catch (error) {
      troubles.set(entry, [error instanceof Error ? error.message : String(error)])
    }
  }
  return troubles
}
