import type { Reading, ThresholdEvent } from '../../sync/contract/index.ts'

/**
 * Decides which readings cross a threshold. Part of the deterministic state machine: no clock, no I/O, no randomness;
 * the same readings in the same order give the same events, on every gateway and in every replay.
 */
export interface RuleEngine {
  apply(reading: Reading): readonly ThresholdEvent[]
}

/** A gateway without rules. */
export const noRules: RuleEngine = { apply: () => [] }
