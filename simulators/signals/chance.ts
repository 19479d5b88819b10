import { seededRandom } from '../../sync/runtime/index.ts'

/**
 * Chance that can be looked up instead of drawn: the number at `index` depends on nothing but (seed, index). So a
 * signal made of it can be evaluated at any time, in any order, twice, on two machines, and says the same.
 *
 * @returns uniform in [0, 1)
 */
export function uniformAt(seed: number, index: number): number {
  return seededRandom(mix(seed, index)).next()
}

/** Standard normal deviate at `index` (Box-Muller), as repeatable as `uniformAt`. */
export function gaussianAt(seed: number, index: number): number {
  const random = seededRandom(mix(seed, index))
  const radius = Math.sqrt(-2 * Math.log(1 - random.next()))
  return radius * Math.cos(2 * Math.PI * random.next())
}

/** A seed of its own for every part of a whole (metric, device, disturbance), from the whole's seed and the part's name. */
export function deriveSeed(seed: number, name: string): number {
  let hash = 0x811c9dc5 ^ seed
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), 0x01000193)
  return finalize(hash)
}

/** Indices are often Unix milliseconds, which do not fit 32 bits: both halves count. */
function mix(seed: number, index: number): number {
  const low = index >>> 0
  const high = Math.floor(index / 0x1_0000_0000) >>> 0
  return finalize(Math.imul(finalize(seed ^ Math.imul(low, 0x9e3779b1)) ^ high, 0x85ebca6b) ^ low)
}

/** The last step of MurmurHash3: every input bit reaches every output bit. */
function finalize(value: number): number {
  let hash = value | 0
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}
