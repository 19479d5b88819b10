import type { Millis, Offset, Reading, ThresholdEvent } from '../../sync/contract/index.ts'
import { Engine } from './engine.ts'
import type { GroupKeeper } from './kept.ts'
import type { RuleSet } from './rule-set.ts'

const NOTHING_KEPT: GroupKeeper = { changed() {}, gone() {} }

/**
 * What a rule set would have raised, had it held while these readings came in to one gateway: the engine of a live gateway, whose
 * time advances with `received` of the readings. Memory grows with the series, not with the readings.
 */
export class Backtest {
  readonly #engine: Engine
  #next: Offset = 0

  constructor(rules: RuleSet) {
    this.#engine = new Engine(rules, NOTHING_KEPT, { from: 0 }, '@back-test')
  }

  /** The next reading, in the order in which the gateway took them in; what was due before it came is told first. */
  apply(reading: Reading): ThresholdEvent[] {
    return this.#engine.apply(reading, this.#next++)
  }

  /** Lets time go on without a reading, up to `until`. */
  advance(until: Millis): ThresholdEvent[] {
    return this.#engine.advance(until)
  }
}
