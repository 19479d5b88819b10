import type { Millis } from '../../sync/contract/index.ts'
import { gaussianAt, uniformAt } from './chance.ts'
import type { Signal } from './signal.ts'

const OCTAVES = 6

export interface DriftOptions {
  seed: number
  /** The drift never leaves -bound to +bound. */
  bound: number
  /** About how long it takes to wander from one side to the other. */
  over: Millis
}

/**
 * A bounded random walk with random access: octaves of interpolated lattice noise, each twice as fast and 1/sqrt(2) as
 * strong as the one below it, which is the spectrum of Brownian motion, between one octave's slowest and the last
 * one's fastest period. A step-by-step walk would have to be replayed from its beginning to know the value at a time.
 */
export function drift({ seed, bound, over }: DriftOptions): Signal {
  const octaves = Array.from({ length: OCTAVES }, (_, octave) => ({
    seed: seed + octave,
    period: over / 2 ** octave,
    strength: Math.SQRT1_2 ** octave,
  }))
  const total = octaves.reduce((sum, octave) => sum + octave.strength, 0)
  return (t) => {
    let value = 0
    for (const octave of octaves) value += octave.strength * latticeNoise(octave.seed, t / octave.period)
    return (bound * value) / total
  }
}

/** Between -1 and 1; smooth (no kink at the lattice points). */
function latticeNoise(seed: number, x: number): number {
  const cell = Math.floor(x)
  const within = x - cell
  const blend = within * within * (3 - 2 * within)
  const left = uniformAt(seed, cell)
  const right = uniformAt(seed, cell + 1)
  return 2 * (left + (right - left) * blend) - 1
}

export interface NoiseOptions {
  seed: number
  deviation: number
}

/** Gaussian measurement noise: another draw for every millisecond. */
export const noise =
  ({ seed, deviation }: NoiseOptions): Signal =>
  (t) =>
    deviation * gaussianAt(seed, Math.floor(t))
