import type { Millis, ThresholdEvent } from '../../sync/contract/index.ts'
import {
  type Era,
  eventId,
  type Origin,
  RuleSet,
  type RuleSetInput,
  ruleSetRevision,
  ruleSetSchema,
} from '../rules/index.ts'

/** A named set of rules, as it was given. */
export interface NamedRules {
  /** As people (or Node-RED) wrote it. */
  given: unknown
  /** Hash of what it says. */
  revision: string
  /** When it became like that: of two gateways that have it, the later one counts. */
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
  dirty: Origin | null = null
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

  /**
   * All sets as one, in the order of their names, which is the same on every gateway. A set that an earlier version took, and this
   * one does not, is left out; so is a rule with the id of one before it: two gateways may have been given one each.
   */
  compile(): RuleSet {
    const sets = Object.entries(this.#stored.sets).sort(([one], [other]) => (one < other ? -1 : 1))
    const taken = new Set<string>()
    const inputs: RuleSetInput[] = []
    for (const [, { given }] of sets) {
      const input = ruleSetSchema.safeParse(given).data
      if (!input) continue
      const rules = input.rules.filter(({ id }) => !taken.has(id))
      for (const { id } of rules) taken.add(id)
      if (rules.length > 0) inputs.push({ ...input, rules })
    }
    return new RuleSet(...inputs)
  }

  /** @returns the event that tells of it; null when the set says what it said before */
  change(set: string, given: unknown, input: RuleSetInput, at: Millis): ThresholdEvent | null {
    const revision = ruleSetRevision(input)
    const before = this.#stored.sets[set]
    if (saysSame(before, revision, input)) return null
    // A peer whose clock is ahead may have changed it before: this change is the later one all the same.
    const since = Math.max(at, before ? before.since + 1 : at)
    return this.#replace(set, { given, revision, since }, input, at)
  }

  /**
   * Takes a set as a peer has it, if that is the newer one: both keep the same, in whatever order they hear of it.
   *
   * @returns whether it was newer, and the event that tells of it, if it says something else than before
   */
  merge(set: string, theirs: NamedRules, at: Millis): { taken: boolean; event: ThresholdEvent | null } {
    const before = this.#stored.sets[set]
    const input = ruleSetSchema.safeParse(theirs.given).data
    if (!input || (before && !isNewer(theirs, before))) return { taken: false, event: null }
    if (!saysSame(before, theirs.revision, input)) return { taken: true, event: this.#replace(set, theirs, input, at) }
    this.#stored = { ...this.#stored, sets: { ...this.#stored.sets, [set]: theirs } }
    return { taken: true, event: null }
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

  #replace(set: string, next: NamedRules, input: RuleSetInput, at: Millis): ThresholdEvent {
    const { sets, changes, first } = this.#stored
    const before = sets[set]
    this.#stored = {
      sets: { ...sets, [set]: next },
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
        revision: next.revision,
        before: before?.revision ?? null,
        added: [...ids].filter((id) => !idsBefore.has(id)),
        removed: [...idsBefore].filter((id) => !ids.has(id)),
        rules: ids.size,
      },
    }
  }
}

/** A set that was never given is an empty one. */
const saysSame = (before: NamedRules | undefined, revision: string, { rules }: RuleSetInput): boolean =>
  before ? before.revision === revision : rules.length === 0

const isNewer = (one: NamedRules, other: NamedRules): boolean =>
  one.since > other.since || (one.since === other.since && one.revision > other.revision)
