import type { Bytes, Millis, Offset } from '../../sync/contract/index.ts'

/**
 * A stretch of a lane, about 1 MiB of blocks: the unit of trimming and of eviction. Segments let the bounds be judged
 * without reading blocks, in memory that does not grow with the backlog (a 10 GB outbox has 10,000 of them).
 */
export interface Segment {
  /** Offset of its first record; segments begin at block boundaries. */
  first: Offset
  /** Bytes of all bodies of the lane before it. */
  bytesBefore: Bytes
  /** When its first block was committed. */
  committedAt: Millis
  /** How often it was thinned: it holds about 1 / 2^level of its blocks (`GIVEN_UP`: none). */
  level: number
}

/** The level of a segment that holds nothing any more. */
export const GIVEN_UP = 64

export const SEGMENT_BYTES: Bytes = 1024 * 1024

/** All segments of a lane, oldest first. The newest is still growing. */
export class Segments {
  #list: Segment[] = []

  get all(): readonly Segment[] {
    return this.#list
  }

  get oldest(): Segment | undefined {
    return this.#list[0]
  }

  get newest(): Segment | undefined {
    return this.#list.at(-1)
  }

  push(segment: Segment): void {
    this.#list.push(segment)
  }

  /** Puts one before all others: blocks whose own segment got lost. */
  unshift(segment: Segment): void {
    this.#list.unshift(segment)
  }

  /** Whether a block that starts at `bytesBefore` begins a new segment. */
  startsAt(bytesBefore: Bytes): boolean {
    const { newest } = this
    return newest === undefined || bytesBefore - newest.bytesBefore >= SEGMENT_BYTES
  }

  thinned(first: Offset, level: number): Segment | undefined {
    const at = this.#list.findIndex((segment) => segment.first === first)
    const old = this.#list[at]
    if (!old) return undefined
    const segment = { ...old, level }
    this.#list[at] = segment
    return segment
  }

  /**
   * Marks a segment as given up; it joins a given-up neighbour before it, so that a long outage does not grow the list.
   * Returns the entry that now stands for it and the one that is gone.
   */
  giveUp(first: Offset): { kept: Segment | undefined; gone: Segment | undefined } {
    const at = this.#list.findIndex((segment) => segment.first === first)
    const before = this.#list[at - 1]
    if (before?.level === GIVEN_UP) {
      const [gone] = this.#list.splice(at, 1)
      return { kept: before, gone }
    }
    return { kept: this.thinned(first, GIVEN_UP), gone: undefined }
  }

  /** Drops every segment that begins before `offset`. */
  dropBefore(offset: Offset): void {
    this.#list = this.#list.filter((segment) => segment.first >= offset)
  }
}

/** Bytes that a segment still holds, `next` being where the following one (or the head) begins. */
export function storedBytes(segment: Segment, nextBytesBefore: Bytes): Bytes {
  return (nextBytesBefore - segment.bytesBefore) / 2 ** segment.level
}
