/** The middle one; of an even number the mean of the two in the middle. NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length / 2
  if (Number.isInteger(middle)) return ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2
  return sorted[Math.floor(middle)] ?? Number.NaN
}

/** The median of ours, of the peer's, and of their ratios round by round; rounds without a peer count for ours only. */
export function compare(rounds: readonly { ours: number; peer: number | null }[]): {
  ours: number
  peer: number | null
  ratio: number | null
} {
  const both = rounds.flatMap(({ ours, peer }) => (peer === null ? [] : [{ ours, peer }]))
  return {
    ours: median(rounds.map(({ ours }) => ours)),
    peer: both.length === 0 ? null : median(both.map(({ peer }) => peer)),
    ratio: both.length === 0 ? null : median(both.map(({ ours, peer }) => ours / peer)),
  }
}
