import type { Bytes, Offset } from '../../sync/contract/index.ts'
import { type BlockRun, decodeBlock, linesOf } from '../outbox/index.ts'

const READ_BYTES: Bytes = 256 * 1024

/**
 * Records of [from, to) of a lane, without those that are declared missing.
 *
 * @param blocks reads the lane
 */
export async function* linesBetween(
  blocks: (from: Offset, maxBytes: Bytes) => Promise<BlockRun>,
  from: Offset,
  to: Offset,
): AsyncIterable<readonly [offset: Offset, line: string]> {
  for (let at = from; at < to; ) {
    const { blocks: run, gaps, next } = await blocks(at, READ_BYTES)
    const isMissing = (offset: Offset): boolean => gaps.some((gap) => gap.from <= offset && offset <= gap.to)
    for (const { first, value } of run)
      for (const [i, line] of linesOf(decodeBlock(value)).entries()) {
        const offset = first + i
        if (offset >= at && offset < to && !isMissing(offset)) yield [offset, line] as const
      }
    if (next === at) return
    at = next
  }
}
