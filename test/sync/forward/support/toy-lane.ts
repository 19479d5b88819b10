import { crc32 } from 'node:zlib'
import type { Lane } from '../../../../sync/contract/index.ts'
import type { Cursor, Gap, LaneSlice, LaneSource } from '../../../../sync/forward/index.ts'

/** A lane in memory, whose holes and whose part that may leave are whatever a test says. */
export class ToyLane implements LaneSource {
  readonly lane: Lane
  readonly epoch: string
  readonly lines: string[] = []
  readonly repeated = new Set<number>()
  readonly tail = 0
  cursor: Cursor = { next: 0, sequence: 0, streamCreated: null }
  /** Where what may leave ends; null = with the lane. */
  cleared: number | null = null
  readonly #listeners = new Set<() => void>()

  constructor(lane: Lane, epoch = 'epoch') {
    this.lane = lane
    this.epoch = epoch
  }

  get durable(): number {
    return this.lines.length
  }

  get head(): number {
    return Math.min(this.cleared ?? this.durable, this.durable)
  }

  add(...lines: string[]): void {
    this.lines.push(...lines)
    this.grew()
  }

  grew(): void {
    for (const listener of [...this.#listeners]) listener()
  }

  async oldestPending(): Promise<null> {
    return null
  }

  async read(from: number, maxBytes: number): Promise<LaneSlice> {
    const taken: string[] = []
    const gaps: Gap[] = []
    let bytes = 0
    let next = from
    for (; next < this.head; next++) {
      if (this.repeated.has(next)) {
        const last = gaps.at(-1)
        if (last?.to === next - 1) last.to = next
        else gaps.push({ from: next, to: next, reason: 'repeated' })
        continue
      }
      const line = `${this.lines[next]}\n`
      if (taken.length > 0 && bytes + line.length > maxBytes) break
      bytes += line.length
      taken.push(line)
    }
    const lineage = await this.lineageAt(next)
    return { from, next, count: taken.length, body: Buffer.from(taken.join('')), gaps, lineage }
  }

  lend({ from, next, count }: LaneSlice): boolean {
    const left = this.lines.slice(from, next).filter((_, i) => !this.repeated.has(from + i))
    return left.length === count
  }

  async lineageAt(offset: number): Promise<number | null> {
    if (offset > this.durable) return null
    return crc32(
      this.lines
        .slice(0, offset)
        .map((line) => `${line}\n`)
        .join(''),
    )
  }

  moveCursor(cursor: Cursor): void {
    if (cursor.next > this.durable) throw new Error(`the cursor of ${this.lane} goes beyond its end`)
    this.cursor = cursor
  }

  async startEpoch(): Promise<void> {
    throw new Error('no history here parts from another')
  }

  onGrowth(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}
