import { randomBytes } from 'node:crypto'

/** Source of randomness, passed in so that a fault schedule can be replayed from its seed. */
export interface Random {
  /** Uniform in [0, 1). */
  next(): number
  /** `length` random bytes as lower-case hexadecimal. */
  hex(length: number): string
}

export const systemRandom: Random = {
  next: () => Math.random(),
  hex: (length) => randomBytes(length).toString('hex'),
}

/** Deterministic generator (mulberry32): the same seed gives the same sequence on every machine. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  return {
    next,
    hex: (length) => Array.from({ length }, () => ((next() * 256) | 0).toString(16).padStart(2, '0')).join(''),
  }
}
