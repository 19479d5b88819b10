/** The smallest of the values that at least this fraction of them does not exceed (nearest rank); null of none. */
export function percentile(values: readonly number[], fraction: number): number | null {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = Math.min(sorted.length, Math.max(1, Math.ceil(sorted.length * fraction)))
  return sorted[rank - 1] ?? null
}
