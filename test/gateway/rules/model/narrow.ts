import type { Millis } from '../../../../sync/contract/index.ts'
import type { Happens, Written } from './arbitrary.ts'

interface Run {
  lateness: Millis
  all: readonly Happens[]
}

/**
 * Leaves out of a run in what the gateway differs from the definitions, until it does not:
 *
 * - with `lateness`, a delay ends while readings that contradict it still wait, and what happens at the moment of a release names
 *   the reading before the released ones as its cause;
 * - a reading whose event time is after the end of a delay that the clock has not reached is compared with the level of before the end;
 * - silence while a clearing is under way does not stop it (`narrowed`).
 */
export function narrow(rules: readonly Written[], { lateness, all }: Run, acting: boolean): Run {
  const timed = rules.some(({ rule }) => rule.for > 0 || rule.clearFor > 0 || rule.reraiseAfter > 0)
  const waits = rules.some(({ rule }) => rule.condition.kind === 'missing')
  return {
    lateness: timed || waits || acting ? 0 : lateness,
    all: timed ? all.map(withoutTime) : all,
  }
}

function withoutTime(happens: Happens): Happens {
  if (!('reading' in happens)) return happens
  const { time: _, ...reading } = happens.reading
  return { reading }
}

/** Whether the rule is one that the gateway decides by its definition. */
export const narrowed = ({ rule }: Written): boolean =>
  rule.condition.kind !== 'missing' || rule.clearFor <= rule.condition.after
