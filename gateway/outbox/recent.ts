import type { Bytes, Offset } from '../../sync/contract/index.ts'
import type { CutBlock } from './lane.ts'

/** Enough for whoever keeps up; a lane that is drained is read from disk. */
const MOST_BYTES: Bytes = 512 * 1024

/**
 * The newest durable blocks of a lane, without a hole between them: whoever forwards or copies what was just committed need not
 * ask the disk for it.
 */
export class RecentBlocks {
  #blocks: CutBlock[] = []
  #bytes: Bytes = 0

  /** @param block just made durable, directly behind those before */
  add(block: CutBlock): void {
    this.#blocks.push(block)
    this.#bytes += block.value.length
    let drop = 0
    while (this.#bytes > MOST_BYTES) this.#bytes -= this.#blocks[drop++]?.value.length ?? this.#bytes
    if (drop > 0) this.#blocks = this.#blocks.slice(drop)
  }

  /** From the one that holds `offset` on; null when that is not among them. */
  from(offset: Offset): readonly CutBlock[] | null {
    const last = this.#blocks.at(-1)
    const [first] = this.#blocks
    if (!first || !last || offset < first.first || offset >= last.first + last.count) return null
    let [low, high] = [0, this.#blocks.length - 1]
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((this.#blocks[middle]?.first ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return this.#blocks.slice(low)
  }
}
