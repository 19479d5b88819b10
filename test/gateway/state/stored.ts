import type { StoredState } from '../../../gateway/outbox/index.ts'
import type { StateMachine } from '../../../gateway/state/index.ts'

/** What a disk holds of a state machine: stored slices, the records, those of peers, and from where to replay. */
export class Stored implements StoredState {
  readonly lines: string[] = []
  /** By origin. */
  readonly replicas = new Map<string, string[]>()
  readonly parts = new Map<string, Buffer>()
  replayFrom = 0
  readonly hearFrom = new Map<string, number>()

  commit(from: StateMachine, records: number): number {
    const slices = from.takeSlices(records)
    for (const [name, value] of slices) {
      if (value) this.parts.set(name, Buffer.from(value))
      else this.parts.delete(name)
    }
    this.replayFrom = from.replayFrom(this.lines.length)
    for (const [origin, lines] of this.replicas) this.hearFrom.set(origin, from.hearFrom(origin, lines.length))
    return slices.length
  }

  async *slices() {
    yield* this.parts
  }

  async *attached() {}

  async *records() {
    for (let offset = this.replayFrom; offset < this.lines.length; offset++)
      yield [offset, this.lines[offset] ?? ''] as const
  }

  async *heard() {
    for (const [origin, lines] of this.replicas)
      for (let offset = this.hearFrom.get(origin) ?? 0; offset < lines.length; offset++)
        yield [origin, offset, lines[offset] ?? ''] as const
  }
}
