import { expect } from 'vitest'
import type { Outbox, OutboxStatus } from '../../../../gateway/outbox/index.ts'
import { decodeLine, LANES, type Lane } from '../../../../sync/contract/index.ts'
import type { Gap, LaneSource } from '../../../../sync/forward/index.ts'
import { reading, type TestOutbox } from '../../../support/outbox.ts'

/** Everything in the lane from `from` on, read as a forwarder does: offsets with their lines, and the declared holes. */
export async function readLane(
  source: LaneSource,
  from = source.cursor.next,
  maxBytes = 100_000,
): Promise<{ lines: Map<number, string>; gaps: Gap[] }> {
  const lines = new Map<number, string>()
  const gaps: Gap[] = []
  for (let next = from; next < source.head; ) {
    const slice = await source.read(next, maxBytes)
    expect(slice.from).toBe(next)
    expect(slice.next).toBeGreaterThan(next)
    const texts = slice.body.toString('utf8').split('\n')
    expect(texts.pop()).toBe('')
    expect(texts.length).toBe(slice.count)
    const missing = slice.gaps.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
    expect(slice.next - slice.from).toBe(slice.count + missing)
    let offset = next
    for (const text of texts) {
      for (let hole = holeAt(slice.gaps, offset); hole; hole = holeAt(slice.gaps, offset)) offset = hole.to + 1
      lines.set(offset++, text)
    }
    gaps.push(...slice.gaps)
    next = slice.next
  }
  return { lines, gaps }
}

const holeAt = (gaps: readonly Gap[], offset: number): Gap | undefined =>
  gaps.find((gap) => gap.from <= offset && offset <= gap.to)

/** The `seq` of all readings in the lane from `from` on. */
export async function readSeqs(source: LaneSource, from?: number): Promise<number[]> {
  const { lines } = await readLane(source, from)
  return [...lines.values()].map((line) => decodeLine(line).seq ?? -1)
}

/** The centre has everything before `next`. */
export function acknowledge(source: LaneSource, next = source.head): void {
  source.moveCursor({ next, sequence: next, streamCreated: 'then' })
}

/** Stores readings `from` to `to`, `each` in one commit. */
export async function fill(box: TestOutbox, from: number, to: number, each = 50): Promise<void> {
  for (let seq = from; seq <= to; seq += each) {
    const last = Math.min(seq + each - 1, to)
    await Promise.all(Array.from({ length: last - seq + 1 }, (_, i) => box.put(reading(seq + i))))
  }
}

export const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i)

/** I8: every record is forwarded, waiting or declared missing. */
export function expectAccounted(status: OutboxStatus): void {
  for (const lane of LANES) {
    const { accepted, forwarded, pending, missing } = status.lanes[lane]
    expect(accepted).toBe(forwarded + pending + missing)
    for (const count of [forwarded, pending, missing]) expect(count).toBeGreaterThanOrEqual(0)
  }
}

/** Appends one line to any lane; resolves when it is durable. */
export function append(outbox: Outbox, lane: Lane, line: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const offset = outbox.append(lane, line)
    outbox.whenDurable((error) => (error ? reject(error) : resolve(offset)))
  })
}
