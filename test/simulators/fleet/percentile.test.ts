import { describe, expect, it } from 'vitest'
import { percentile } from '../../../simulators/fleet/index.ts'

describe('a percentile', () => {
  it.each([
    [[], 0.5, null],
    [[7], 0.5, 7],
    [[7], 0.99, 7],
    [[4, 1, 3, 2], 0.5, 2],
    [[4, 1, 3, 2], 0, 1],
    [[4, 1, 3, 2], 1, 4],
    [Array.from({ length: 100 }, (_, i) => i + 1), 0.99, 99],
    [Array.from({ length: 101 }, (_, i) => i + 1), 0.99, 100],
  ])('of %j at %d is %j', (values, fraction, expected) => {
    expect(percentile(values, fraction)).toBe(expected)
  })
})
