import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  constant,
  dailyCycle,
  drift,
  episodes,
  noise,
  quantized,
  SENSORS,
  type SensorName,
  type Signal,
  saturated,
  scaled,
  sensor,
  sine,
  spikes,
  steps,
  stuck,
  sum,
} from '../../../simulators/signals/index.ts'

const DAY = 86_400_000
const NOON = 1_700_000_000_000
const sample = (signal: Signal, count: number, step: number): number[] =>
  Array.from({ length: count }, (_, i) => signal(NOON + i * step))

describe('signals', () => {
  it.each(Object.keys(SENSORS) as SensorName[])(
    '%s says the same for the same seed, in whatever order it is asked',
    (name) => {
      const forward = sample(sensor(name, 5).signal, 500, 1_000)
      const backward = Array.from({ length: 500 }, (_, i) => sensor(name, 5).signal(NOON + (499 - i) * 1_000)).reverse()
      expect(backward).toEqual(forward)
      expect(sample(sensor(name, 6).signal, 500, 1_000)).not.toEqual(forward)
      expect(new Set(forward).size).toBeGreaterThan(5)
    },
  )

  it('a daily cycle is highest at its peak hour and lowest twelve hours away', () => {
    const signal = dailyCycle({ mean: 20, amplitude: 5, peakHour: 14 })
    const midnight = Math.floor(NOON / DAY) * DAY
    expect(signal(midnight + 14 * 3_600_000)).toBeCloseTo(25)
    expect(signal(midnight + 2 * 3_600_000)).toBeCloseTo(15)
    expect(signal(midnight + 8 * 3_600_000)).toBeCloseTo(20)
  })

  it('a sine has its mean, its amplitude and its period', () => {
    const signal = sine({ mean: 1, amplitude: 2, period: 1_000 })
    expect(signal(0)).toBeCloseTo(1)
    expect(signal(250)).toBeCloseTo(3)
    expect(signal(750)).toBeCloseTo(-1)
    expect(signal(5_250)).toBeCloseTo(signal(250))
  })

  it('a drift stays within its bound, moves, and moves little in little time', () => {
    const signal = drift({ seed: 9, bound: 4, over: 3_600_000 })
    const values = sample(signal, 5_000, 60_000)
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(4)
    expect(Math.max(...values) - Math.min(...values)).toBeGreaterThan(3)
    const second = sample(signal, 1_000, 1_000)
    const jumps = second.slice(1).map((value, i) => Math.abs(value - (second[i] ?? 0)))
    expect(Math.max(...jumps)).toBeLessThan(0.1)
  })

  it('noise has its deviation and no memory', () => {
    const values = sample(noise({ seed: 1, deviation: 3 }), 10_000, 1)
    const variance = values.reduce((total, value) => total + value ** 2, 0) / values.length
    const neighbours = values.slice(1).reduce((total, value, i) => total + value * (values[i] ?? 0), 0) / values.length
    expect(Math.sqrt(variance)).toBeCloseTo(3, 0)
    expect(Math.abs(neighbours)).toBeLessThan(0.5)
  })

  it('steps hold a level, then another', () => {
    const values = sample(steps({ seed: 2, every: 1_000, size: 5 }), 1_000, 100)
    const changes = values.slice(1).filter((value, i) => value !== values[i]).length
    expect(Math.max(...values.map(Math.abs))).toBeLessThanOrEqual(5)
    expect(changes).toBeGreaterThan(70)
    expect(changes).toBeLessThanOrEqual(101)
  })

  it('composes: sums, scales, saturates, quantizes', () => {
    expect(sum(constant(1), constant(2), constant(3))(0)).toBe(6)
    expect(scaled(constant(3), -2)(0)).toBe(-6)
    expect(saturated(constant(300), -40, 85)(0)).toBe(85)
    expect(saturated(constant(-300), -40, 85)(0)).toBe(-40)
    expect(quantized(constant(1.13), 0.25)(0)).toBe(1.25)
  })
})

describe('episodes', () => {
  it('never overlap, last as long as they should, and are found again by their time', () => {
    fc.assert(
      fc.property(
        fc.integer(),
        fc.integer({ min: 10, max: 10_000 }),
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (seed, every, share, probability) => {
          const lasting = every * share
          const times = episodes({ seed, every, lasting, probability })
          const found = times.between(NOON, NOON + 50 * every)
          found.forEach((episode, i) => {
            const next = found[i + 1]
            if (next !== undefined) expect(next.from).toBeGreaterThanOrEqual(episode.to - 1e-3)
            expect(episode.to - episode.from).toBeCloseTo(lasting, 3)
            expect(times.at(episode.from)?.index).toBe(episode.index)
          })
        },
      ),
    )
  })

  it('cannot be longer than their window', () => {
    expect(() => episodes({ seed: 1, every: 10, lasting: 11 })).toThrow(RangeError)
    expect(() => episodes({ seed: 1, every: 10, lasting: 0 })).toThrow(RangeError)
  })
})

describe('spikes and stuck sensors tell the truth about themselves', () => {
  it('a spike is in the signal exactly while it says it was', () => {
    const signal = spikes({ seed: 4, every: 60_000, lasting: 5_000, size: [10, 20], probability: 0.7 })
    const truth = signal.between(NOON, NOON + 3_600_000)
    expect(truth.length).toBeGreaterThan(25)
    for (let t = NOON; t < NOON + 3_600_000; t += 250) {
      const spike = truth.find(({ from, to }) => t >= from && t < to)
      expect(signal(t)).toBe(spike?.size ?? 0)
    }
    for (const { size } of truth) {
      expect(size).toBeGreaterThanOrEqual(10)
      expect(size).toBeLessThanOrEqual(20)
    }
  })

  it('a stuck sensor repeats the value its episode began with', () => {
    const moving: Signal = (t) => t
    const signal = stuck(moving, { seed: 8, every: 10_000, lasting: 4_000 })
    const truth = signal.between(NOON, NOON + 200_000)
    for (let t = NOON; t < NOON + 200_000; t += 100) {
      const episode = truth.find(({ from, to }) => t >= from && t < to)
      expect(signal(t)).toBe(episode?.from ?? t)
    }
    expect(truth.length).toBeGreaterThan(18)
  })
})
