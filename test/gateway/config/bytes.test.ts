import { fc, test } from '@fast-check/vitest'
import { describe, expect, it } from 'vitest'
import { formatBytes, parseBytes } from '../../../gateway/config/bytes.ts'

describe('parseBytes', () => {
  it.each([
    ['0', 0],
    ['1025', 1025],
    ['10GB', 10_000_000_000],
    ['10 GB', 10_000_000_000],
    ['512KiB', 524_288],
    ['1.5MB', 1_500_000],
    ['1.1KB', 1100],
    ['0.5KiB', 512],
    ['7b', 7],
    ['2tib', 2_199_023_255_552],
  ])('reads %s as %d bytes', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes)
  })

  it.each(['', 'GB', '10G', '10 gigs', '-1MB', '1,5MB', '1e3', '0.3B', '1.0001KiB', '9999999999TB'])(
    'refuses %j',
    (text) => {
      expect(parseBytes(text)).toBeNull()
    },
  )
})

describe('formatBytes', () => {
  it.each([
    [0, '0B'],
    [1025, '1025B'],
    [10_000_000_000, '10GB'],
    [262_144, '256KiB'],
    [1_048_576, '1MiB'],
    [32_000, '32KB'],
  ])('writes %d as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  test.prop([
    fc.oneof(
      fc.maxSafeNat(),
      fc.nat(1e4).map((n) => n * 1000),
      fc.nat(1e4).map((n) => n * 1024),
    ),
  ])('writes what parseBytes reads back', (bytes) => {
    expect(parseBytes(formatBytes(bytes))).toBe(bytes)
  })
})
