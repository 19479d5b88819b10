import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { formatDuration, parseDuration } from '../../../gateway/config/duration.ts'

describe('parseDuration', () => {
  it.each([
    ['0', 0],
    ['0s', 0],
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['5min', 300_000],
    ['1h30m', 5_400_000],
    ['1h 30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['7d', 604_800_000],
    ['1w', 604_800_000],
    ['10y', 315_360_000_000],
    ['0.1s', 100],
  ])('reads %s as %d ms', (text, millis) => {
    expect(parseDuration(text)).toBe(millis)
  })

  it.each(['', '5', '5 ', 's', '5S', '1month', '-5s', '1e3s', '5s!', '0.5ms', '1h30'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeNull()
  })
})

describe('formatDuration', () => {
  it.each([
    [0, '0s'],
    [250, '250ms'],
    [5_400_000, '1h30m'],
    [315_360_000_000, '10y'],
  ])('writes %d as %s', (millis, text) => {
    expect(formatDuration(millis)).toBe(text)
  })

  test.prop([fc.nat(1e12)])('writes what parseDuration reads back', (millis) => {
    expect(parseDuration(formatDuration(millis))).toBe(millis)
  })
})
