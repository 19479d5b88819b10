/** A hole in a counter: numbers from `lo` to `hi` were not seen yet. */
type Hole = [lo: number, hi: number]

/** What has been seen of one life of a device's counter, as it is stored. */
export interface SeenState {
  max: number
  holes: Hole[]
}

/** Holes kept because they are recent, and because they are large. */
const RECENT_HOLES = 32
const LARGE_HOLES = 32

/**
 * The numbers of a counter that were seen: everything up to `max`, minus the holes. Exact as long as there are few
 * holes, whatever the distance in time: a device that backfills yesterday's outage while it goes on counting is neither
 * taken for a repeat nor stored twice. When there are too many (a counter shared by several metrics leaves one at every
 * step), the smallest of the older ones are taken as seen.
 */
export class Seen {
  #max: number
  #holes: Hole[]

  constructor(state: SeenState) {
    this.#max = state.max
    this.#holes = state.holes
  }

  /** A counter whose first number is `first`. */
  static from(first: number): Seen {
    return new Seen({ max: first, holes: first > 0 ? [[0, first - 1]] : [] })
  }

  get max(): number {
    return this.#max
  }

  has(number: number): boolean {
    if (number > this.#max) return false
    for (let i = this.#holes.length - 1; i >= 0; i--) {
      const hole = this.#holes[i]
      if (hole && number >= hole[0]) return number > hole[1]
    }
    return true
  }

  add(number: number): void {
    if (number > this.#max) {
      if (number > this.#max + 1) {
        this.#holes.push([this.#max + 1, number - 1])
        this.#limit()
      }
      this.#max = number
      return
    }
    const at = this.#holes.findLastIndex(([lo]) => number >= lo)
    const hole = this.#holes[at]
    if (!hole || number > hole[1]) return
    const [lo, hi] = hole
    const rest: Hole[] = []
    if (number > lo) rest.push([lo, number - 1])
    if (number < hi) rest.push([number + 1, hi])
    this.#holes.splice(at, 1, ...rest)
    this.#limit()
  }

  toJSON(): SeenState {
    return { max: this.#max, holes: this.#holes }
  }

  #limit(): void {
    if (this.#holes.length <= RECENT_HOLES + LARGE_HOLES) return
    let smallest = 0
    const older = this.#holes.length - RECENT_HOLES
    const size = (i: number): number => {
      const hole = this.#holes[i]
      return hole ? hole[1] - hole[0] : 0
    }
    for (let i = 1; i < older; i++) if (size(i) < size(smallest)) smallest = i
    this.#holes.splice(smallest, 1)
  }
}
