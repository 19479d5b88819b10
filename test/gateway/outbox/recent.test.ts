import { describe, expect, it } from 'vitest'
import { RecentBlocks } from '../../../gateway/outbox/recent.ts'

const block = (first: number, count: number, bytes: number) => ({
  first,
  count,
  committedAt: 0,
  value: Buffer.alloc(bytes),
})

const firsts = (recent: RecentBlocks, from: number): number[] | undefined =>
  recent.from(from)?.map(({ first }) => first)

describe('recent blocks', () => {
  it('are given from the one that holds an offset', () => {
    const recent = new RecentBlocks()
    for (const [first, count] of [
      [10, 5],
      [15, 1],
      [16, 4],
    ] as const)
      recent.add(block(first, count, 100))
    expect(firsts(recent, 10)).toEqual([10, 15, 16])
    expect(firsts(recent, 14)).toEqual([10, 15, 16])
    expect(firsts(recent, 15)).toEqual([15, 16])
    expect(firsts(recent, 19)).toEqual([16])
  })

  it('say nothing of what is older or not there yet', () => {
    const recent = new RecentBlocks()
    expect(recent.from(0)).toBeNull()
    recent.add(block(10, 5, 100))
    expect(recent.from(9)).toBeNull()
    expect(recent.from(15)).toBeNull()
  })

  it('forget the oldest beyond half a megabyte, and one that is larger than that at once', () => {
    const recent = new RecentBlocks()
    for (let first = 0; first < 6; first++) recent.add(block(first, 1, 100 * 1024))
    expect(firsts(recent, 1)).toEqual([1, 2, 3, 4, 5])
    expect(recent.from(0)).toBeNull()
    recent.add(block(6, 1, 600 * 1024))
    expect(recent.from(6)).toBeNull()
    recent.add(block(7, 1, 100))
    expect(firsts(recent, 7)).toEqual([7])
  })
})
