import { readBack } from '../../outbox/index.ts'
import { levelDisk } from '../../ports/index.ts'
import type { Recording } from './recording.ts'

/**
 * The readings that the outbox of a stopped gateway still has, forwarded or not.
 *
 * @throws OperatorError `OUTBOX_ABSENT`, `STORE_LOCKED` while a gateway has it open
 */
export async function* outboxRecording(dataDir: string): Recording {
  for await (const { first, lines } of readBack(levelDisk, dataDir, 'readings'))
    yield { source: null, lines: lines ?? [], faults: lines ? [] : [`the block of readings ${first} is damaged`] }
}
