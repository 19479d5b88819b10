import type { Lane, Offset } from '../../sync/contract/index.ts'
import type { Disk } from '../ports/index.ts'
import { soundBlock } from './block.ts'
import type { Identity } from './identity.ts'
import { openFound } from './inspect.ts'
import { offsetOf, offsetRange } from './keys.ts'

/** A block that is read back. */
export interface StoredBlock {
  /** Whose it is. */
  owner: Identity
  /** Offset of its first record. */
  first: Offset
  /** Its records, one line each; null when it is damaged (`verifyOutbox` says more about it). */
  lines: readonly string[] | null
}

/**
 * Everything that an outbox still has in a lane, forwarded or not, in order, while no gateway has it open. Nothing is changed;
 * the store is closed when the iteration ends.
 *
 * @throws OperatorError see `inspectOutbox`
 */
export async function* readBack(disk: Disk, dir: string, lane: Lane): AsyncGenerator<StoredBlock> {
  const { store, lanes, identity } = await openFound(disk, dir)
  try {
    const { gaps, tail } = lanes[lane]
    for await (const [key, value] of store.entries(offsetRange('b', lane, tail))) {
      const first = offsetOf(key)
      // An eviction that was cut short: declared missing.
      if (gaps.lost(first)) continue
      const block = soundBlock(first, value)
      yield {
        owner: identity,
        first,
        lines: block === null ? null : block.body.toString('utf8').split('\n').slice(0, block.count),
      }
    }
  } finally {
    await store.close()
  }
}
