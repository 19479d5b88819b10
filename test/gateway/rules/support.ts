import { Engine, type KeptGroup, RuleSet, ruleSetSchema, type StoredGroup } from '../../../gateway/rules/index.ts'
import type { Offset, Reading, ThresholdEvent } from '../../../sync/contract/index.ts'

export const made = (input: unknown): RuleSet => new RuleSet(ruleSetSchema.parse(input))

/** An engine whose readings are records 0, 1, 2, ..., and what it wants to be kept. */
export class TestEngine extends Engine {
  readonly kept: Map<string, KeptGroup>
  #next: Offset = 0

  constructor(rules: RuleSet) {
    const kept = new Map<string, KeptGroup>()
    super(
      rules,
      { changed: (group) => kept.set(group.name, group), gone: (name) => kept.delete(name) },
      { from: 0 },
      '@gw',
    )
    this.kept = kept
  }

  hear(reading: Reading): ThresholdEvent[] {
    return this.apply(reading, this.#next++)
  }

  /** One that goes on from what this one has kept. */
  again(): TestEngine {
    const next = new TestEngine(this.rules)
    next.restore(
      new Map(Object.entries(JSON.parse(JSON.stringify(Object.fromEntries(this.kept))) as Record<string, StoredGroup>)),
    )
    return next
  }
}
