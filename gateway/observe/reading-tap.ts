import type { Reading } from '../../sync/contract/index.ts'

/** Lets others look at the readings that come in. Costs nothing while nobody looks; whoever looks must not throw, nor take long. */
export class ReadingTap {
  readonly #listeners = new Set<(reading: Reading) => void>()

  offer(reading: Reading): void {
    if (this.#listeners.size > 0) for (const listener of this.#listeners) listener(reading)
  }

  /** @returns ends it */
  listen(listener: (reading: Reading) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }
}
