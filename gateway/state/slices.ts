import type { Offset } from '../../sync/contract/index.ts'
import type { SnapshotSlice } from '../outbox/index.ts'
import { type Origin, OWN } from '../rules/index.ts'

/** One part of the state that is stored by itself. Its JSON says up to which record of each lane it is current. */
export interface Part {
  readonly name: string
  /** Set while it waits to be stored, to the origin whose records changed it: nearly always it does, and need not be looked for. */
  dirty: Origin | null
  toJSON(): unknown
}

/** A part whose stored slice lacks records. */
interface Waiting {
  part: Part
  /** The first of them. */
  since: Offset
  /** Its place among all that wait, of whatever lane. */
  order: number
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
 *
 * Parts change by records of several lanes: the own one, and those of peers. In which order they came is stored nowhere, so what a
 * part's slice lacks must be of one lane. When records of another lane begin to change it, it is stored at once.
 */
export class Slices {
  /** By the lane whose records their slices lack, and by name; longest changed first. */
  readonly #lanes = new Map<Origin, Map<string, Waiting>>()
  /** Parts that go with the next commit, whatever it costs. */
  readonly #urgent = new Map<string, Part>()
  readonly #gone = new Set<string>()
  /** Share of a slice that is due, carried from commit to commit: at a trickle not every reading brings one along. */
  #due = 0
  #order = 0

  /**
   * The part changed, or took the place of one of its name.
   *
   * @param offset the record that changed it; null when none did
   * @param urgent what is stored must not lack this change
   * @param origin whose record that is
   */
  changed(part: Part, offset: Offset | null, urgent = false, origin: Origin = OWN): void {
    if (part.dirty === origin && !urgent) return
    const { name } = part
    const lane = this.#laneOf(name)
    const known = lane === null ? undefined : this.#lanes.get(lane)?.get(name)
    if (known) known.part = part
    else if (offset !== null) this.#wait(part, offset, origin)
    part.dirty = lane ?? (offset === null ? null : origin)
    const turns = known !== undefined && offset !== null && lane !== origin
    if (urgent || turns || this.#urgent.has(name)) this.#urgent.set(name, part)
  }

  /** There is no such part any more. */
  gone(name: string): void {
    this.#stored(name)
    this.#gone.add(name)
  }

  clear(): void {
    this.#lanes.clear()
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
    let waiting = 0
    for (const lane of this.#lanes.values()) waiting += lane.size
    if (waiting === 0) return slices
    this.#due += records * Math.min(waiting / REPLAY_TARGET, 1 / REPLAY_PER_PART)
    let budget = Math.min(Math.floor(this.#due), MOST_SLICES)
    this.#due = Math.min(this.#due - budget, waiting)
    if (budget <= 0) return slices
    for (const { part } of this.#longestFirst()) {
      slices.push(this.#slice(part))
      if (--budget <= 0) break
    }
    return slices
  }

  /** From where a lane is to be replayed, once what was taken is stored. See `StateKeeper`. */
  replayFrom(head: Offset, origin: Origin = OWN): Offset {
    for (const { since } of this.#lanes.get(origin)?.values() ?? []) return since
    return head
  }

  #wait(part: Part, since: Offset, origin: Origin): void {
    let lane = this.#lanes.get(origin)
    if (!lane) {
      lane = new Map()
      this.#lanes.set(origin, lane)
    }
    lane.set(part.name, { part, since, order: this.#order++ })
  }

  #laneOf(name: string): Origin | null {
    for (const [origin, lane] of this.#lanes) if (lane.has(name)) return origin
    return null
  }

  /** There are as many lanes as there are gateways, and a few more: their heads are compared one by one. */
  *#longestFirst(): Iterable<Waiting> {
    const heads = [...this.#lanes.values()].map((lane) => ({
      rest: lane.values(),
      first: undefined as Waiting | undefined,
    }))
    for (const head of heads) head.first = head.rest.next().value
    for (;;) {
      let longest: (typeof heads)[number] | undefined
      for (const head of heads)
        if (head.first && (!longest?.first || head.first.order < longest.first.order)) longest = head
      if (!longest?.first) return
      yield longest.first
      longest.first = longest.rest.next().value
    }
  }

  #slice(part: Part): SnapshotSlice {
    part.dirty = null
    this.#stored(part.name)
    return [part.name, Buffer.from(JSON.stringify(part))]
  }

  #stored(name: string): void {
    for (const lane of this.#lanes.values()) lane.delete(name)
    this.#urgent.delete(name)
  }
}
