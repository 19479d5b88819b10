import type { Bytes } from '../../sync/contract/index.ts'

const FACTORS: ReadonlyMap<string, Bytes> = new Map([
  ['B', 1],
  ['KB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
  ['TB', 1e12],
  ['KIB', 2 ** 10],
  ['MIB', 2 ** 20],
  ['GIB', 2 ** 30],
  ['TIB', 2 ** 40],
])

/** Larger units first; decimal before binary, so that 10^9 is `1GB` and 2^30 is `1GiB`. */
const WRITTEN: ReadonlyArray<readonly [name: string, factor: Bytes]> = [
  ['TB', 1e12],
  ['TiB', 2 ** 40],
  ['GB', 1e9],
  ['GiB', 2 ** 30],
  ['MB', 1e6],
  ['MiB', 2 ** 20],
  ['KB', 1e3],
  ['KiB', 2 ** 10],
]

/** How a size is written, for messages. */
export const SIZE_FORM = 'a size such as 10GB (10^10 bytes), 512KiB (512 x 1024) or a plain number of bytes'

/**
 * A size as people write it: `10GB` (powers of 1000), `512KiB` (powers of 1024), `1.5MB`, or a plain number of bytes.
 *
 * @returns null when the text is not a size, or not a whole number of bytes
 */
export function parseBytes(text: string): Bytes | null {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*$/i.exec(text)
  if (match === null) return null
  const factor = FACTORS.get((match[2] ?? '').toUpperCase() || 'B')
  if (factor === undefined) return null
  // Rounded only against the noise of binary fractions: 1.1KB is 1100.0000000000002 in floating point.
  const exact = Number(match[1]) * factor
  const bytes = Math.round(exact)
  return Number.isSafeInteger(bytes) && Math.abs(bytes - exact) < 1e-6 * Math.max(1, exact) ? bytes : null
}

/** The shortest exact way to write a number of bytes: `10GB`, `512KiB`, `1025B`. */
export function formatBytes(bytes: Bytes): string {
  const fitting = WRITTEN.filter(([, factor]) => bytes >= factor && bytes % factor === 0)
  const best = fitting.reduce<string | null>((shortest, [name, factor]) => {
    const written = `${bytes / factor}${name}`
    return shortest === null || bytes / factor < Number.parseInt(shortest, 10) ? written : shortest
  }, null)
  return best ?? `${bytes}B`
}
