import type { Millis, ThresholdEvent } from '../../sync/contract/index.ts'
import { type Era, eventId, RuleSet, type RuleSetInput, ruleSetRevision, ruleSetSchema } from '../rules/index.ts'

/** A named set of rules, as it was given. */
export interface NamedRules {
  /** As people (or Node-RED) wrote it. */
  given: unknown
  /** Hash of what it says. */
  revision: string
  /** When it became like that. */
  since: Millis
}

interface StoredBook {
  sets: Record<string, NamedRules>
  /** Changes since the store was made, and when the first was: they are numbered like the transitions of an alarm. */
  changes: number
  first: Millis
  era: Era
}

const EMPTY: StoredBook = { sets: {}, changes: 0, first: 0, era: { from: 0 } }

/** Where a gateway's own events stand among those of its devices. */
const RULES_CHANGED = '@rules'

/**
 * The rule sets that hold, by name: that of the file, that of Node-RED, that of whoever uses HTTP. Together they are one rule set.
 * Part of the state, and stored with it: the last good sets hold after a restart, whatever has become of where they came from.
 */
export class RuleBook {
  readonly name = '["rules"]'
  dirty = false
  /** What the gateway calls itself among the devices. */
  readonly device: string
  #stored: StoredBook = EMPTY
  readonly era: Era = { from: 0 }

  constructor(gateway: string) {
    this.device = `@${gateway}`
  }

  get sets(): ReadonlyMap<string, NamedRules> {
    return new Map(Object.entries(this.#stored.sets))
  }

  /** All sets as one. A set that an earlier version took, and this one does not, is left out. */
  compile(): RuleSet {
    const inputs = Object.values(this.#stored.sets).map(({ given }) => ruleSetSchema.safeParse(given))
    return new RuleSet(...inputs.flatMap(({ data }) => (data ? [data] : [])))
  }

  /** @returns the event that tells of it; null when the set says what it said before */
  change(set: string, given: unknown, input: RuleSetInput, at: Millis): ThresholdEvent | null {
    const { sets, changes, first } = this.#stored
    const revision = ruleSetRevision(input)
    const before = sets[set]
    if (before?.revision === revision) return null
    if (before === undefined && input.rules.length === 0) return null
    this.#stored = {
      sets: { ...sets, [set]: { given, revision, since: at } },
      changes: changes + 1,
      first: changes === 0 ? at : first,
      era: this.era,
    }
    const { device } = this
    const { first: since, changes: transition } = this.#stored
    const ids = new Set(input.rules.map(({ id }) => id))
    const idsBefore = new Set(
      before ? (ruleSetSchema.safeParse(before.given).data?.rules ?? []).map(({ id }) => id) : [],
    )
    return {
      id: eventId(device, RULES_CHANGED, since, transition),
      device,
      rule: RULES_CHANGED,
      transition,
      since,
      type: 'tidegate.rules.changed',
      time: at,
      data: {
        set,
        revision,
        before: before?.revision ?? null,
        added: [...ids].filter((id) => !idsBefore.has(id)),
        removed: [...idsBefore].filter((id) => !ids.has(id)),
        rules: ids.size,
      },
    }
  }

  toJSON(): StoredBook {
    return { ...this.#stored, era: this.era }
  }

  restore(stored: unknown): void {
    this.#stored = stored as StoredBook
    this.era.from = this.#stored.era.from
  }

  clear(): void {
    this.restore(EMPTY)
  }
}
