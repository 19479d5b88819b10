import type { Offset } from '../../sync/contract/index.ts'
import type { KeyValueStore } from '../ports/index.ts'
import { skipLines, soundBlock } from './block.ts'
import { namedRange, nameOf, offsetOf, offsetRange } from './keys.ts'
import { blockBefore } from './load.ts'
import { openNote } from './note.ts'
import type { StoredState } from './state-keeper.ts'

/** What the store holds of the state machine: the parts that were stored, and the readings from `replayFrom` on. */
export function storedState(store: KeyValueStore, replayFrom: Offset): StoredState {
  return {
    async *slices() {
      for await (const [key, note] of store.entries(namedRange('s'))) {
        // A damaged slice is a series that was never heard of: it costs the memory of its repeats, not readings.
        const value = openNote(note)
        if (value) yield [nameOf(key), value] as const
      }
    },
    async *attached() {
      for await (const [key, value] of store.entries(namedRange('q'))) yield [nameOf(key), value] as const
    },
    async *records() {
      const start = (await blockBefore(store, 'readings', replayFrom)) ?? replayFrom
      for await (const [key, value] of store.entries(offsetRange('b', 'readings', start))) {
        const first = offsetOf(key)
        // A damaged block has nothing to replay; the reader sets it aside and reports it when it comes to it.
        const block = soundBlock(first, value)
        if (!block) continue
        const skip = Math.min(block.count, Math.max(0, replayFrom - first))
        const lines = block.body.toString('utf8', skipLines(block.body, skip)).split('\n')
        for (let i = 0; i < lines.length - 1; i++) yield [first + skip + i, lines[i] ?? ''] as const
      }
    },
    // No peer's lanes are stored yet.
    async *heard() {},
  }
}
