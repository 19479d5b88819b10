import type { Offset } from '../../sync/contract/index.ts'
import type { SnapshotSlice } from '../outbox/index.ts'

/** One part of the state that is stored by itself. Its JSON says up to which record it is current. */
export interface Part {
  readonly name: string
  /** Set while it waits to be stored: nearly always it does, and need not be looked for. */
  dirty: boolean
  toJSON(): unknown
}

/** A start replays about this many records at most, */
const REPLAY_TARGET = 20_000
/** or, with many parts, this many for each: a slice is larger than a record, and must not be written as often as one. */
const REPLAY_PER_PART = 4
/** Slices in one commit that are not urgent; more would hold it up. */
const MOST_SLICES = 2000

/**
 * An incremental snapshot: every commit carries the parts that changed longest ago. Parts are independent of each other, so
 * slices of different age fit together.
 */
export class Slices {
  /** Changed parts by name, longest changed first, with the offset of the first record their stored slice lacks. */
  readonly #dirty = new Map<string, { part: Part; since: Offset }>()
  /** Parts that go with the next commit, whatever it costs. */
  readonly #urgent = new Map<string, Part>()
  readonly #gone = new Set<string>()
  /** Share of a slice that is due, carried from commit to commit: at a trickle not every reading brings one along. */
  #due = 0

  /**
   * The part changed, or took the place of one of its name.
   *
   * @param offset the record that changed it; null when none did
   * @param urgent what is stored must not lack this change
   */
  changed(part: Part, offset: Offset | null, urgent = false): void {
    if (part.dirty && !urgent) return
    const { name } = part
    const known = this.#dirty.get(name)
    if (known) known.part = part
    else if (offset !== null) this.#dirty.set(name, { part, since: offset })
    part.dirty = known !== undefined || offset !== null
    if (urgent || this.#urgent.has(name)) this.#urgent.set(name, part)
  }

  /** There is no such part any more. */
  gone(name: string): void {
    this.#dirty.delete(name)
    this.#urgent.delete(name)
    this.#gone.add(name)
  }

  clear(): void {
    this.#dirty.clear()
    this.#urgent.clear()
    this.#gone.clear()
    this.#due = 0
  }

  /** See `StateKeeper.takeSlices`. */
  take(records: number): readonly SnapshotSlice[] {
    const slices: SnapshotSlice[] = []
    // First: one of the same name may have come in its place.
    for (const name of this.#gone) slices.push([name, null])
    this.#gone.clear()
    for (const part of this.#urgent.values()) slices.push(this.#slice(part))
    if (this.#dirty.size === 0) return slices
    this.#due += records * Math.min(this.#dirty.size / REPLAY_TARGET, 1 / REPLAY_PER_PART)
    let budget = Math.min(Math.floor(this.#due), MOST_SLICES)
    this.#due = Math.min(this.#due - budget, this.#dirty.size)
    for (const { part } of this.#dirty.values()) {
      if (budget-- <= 0) break
      slices.push(this.#slice(part))
    }
    return slices
  }

  /** See `StateKeeper.replayFrom`. */
  replayFrom(head: Offset): Offset {
    for (const { since } of this.#dirty.values()) return since
    return head
  }

  #slice(part: Part): SnapshotSlice {
    part.dirty = false
    this.#dirty.delete(part.name)
    this.#urgent.delete(part.name)
    return [part.name, Buffer.from(JSON.stringify(part))]
  }
}
