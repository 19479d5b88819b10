/** What the last readings showed, oldest first; at most `n` of them. */
export type Recent = (string | null)[]

/**
 * The newest condition of those that the last `n` readings showed if at least `m` of them showed one, else null.
 *
 * @param recent changed in place
 */
export function mOfN(recent: Recent, shown: string | null, { m, n }: { m: number; n: number }): string | null {
  recent.push(shown)
  if (recent.length > n) recent.shift()
  const found = recent.filter((one) => one !== null)
  return found.length >= m ? (found.at(-1) ?? null) : null
}
