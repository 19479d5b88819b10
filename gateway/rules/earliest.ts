import type { Millis } from '../../sync/contract/index.ts'

/** The first of two times; null stands for never. */
export function earliest(one: Millis | null, other: Millis | null): Millis | null {
  if (one === null || other === null) return one ?? other
  return Math.min(one, other)
}
