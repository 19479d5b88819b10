import type { Offset } from '../contract/index.ts'
import type { OutgoingMessage } from '../link/index.ts'
import type { LaneSlice, LaneSource } from './source.ts'

/** A run of records and the message that it becomes. */
export interface PreparedPack {
  slice: LaneSlice
  message: OutgoingMessage
}

/** Two: to make one takes about as long as the centre takes to store one, but now and then longer. */
const DEPTH = 2

/**
 * Makes the next packs, one after the other, while the centre stores those before. The second only if the first was cut short
 * by its size: a gateway that keeps up had better wait, and send a larger one.
 */
export class PacksAhead {
  readonly #source: LaneSource
  readonly #make: (from: Offset) => Promise<PreparedPack>
  readonly #packs: Promise<PreparedPack>[] = []
  /** Where a deeper pack begins; null when there is to be none, or when that is not known yet. */
  #deeper: Offset | null = null

  constructor(source: LaneSource, make: (from: Offset) => Promise<PreparedPack>) {
    this.#source = source
    this.#make = make
  }

  /** The next one, made or in the making; whoever takes it goes on behind it. */
  take(): Promise<PreparedPack> | undefined {
    return this.#packs.shift()
  }

  /** @param from where the pack after the one in flight begins */
  fill(from: Offset): void {
    const next = this.#packs.length === 0 ? from : this.#deeper
    const { head } = this.#source
    if (next === null || next >= head || this.#packs.length >= DEPTH) return
    this.#deeper = null
    const pack = this.#make(next)
    this.#packs.push(pack)
    pack.then(
      ({ slice }) => {
        if (slice.next === next || slice.next >= head) return
        this.#deeper = slice.next
        if (this.#packs.length > 0) this.fill(slice.next)
      },
      // Whoever takes the pack learns of it; if nobody does, it does not matter.
      () => undefined,
    )
  }
}
