import type { KeyRange, KeyValueStore, WriteOp } from './disk.ts'

/**
 * The part of a store whose keys begin with `prefix`, as a store of its own: whoever works in it sees keys without the prefix.
 * It is not closed by itself.
 */
export function keySpace(store: KeyValueStore, prefix: Buffer): KeyValueStore {
  const within = ({ gte, lt }: KeyRange): KeyRange => ({
    gte: Buffer.concat([prefix, gte]),
    lt: Buffer.concat([prefix, lt]),
  })
  return {
    get: (key) => store.get(Buffer.concat([prefix, key])),
    write: (ops, options) => store.write(inKeySpace(prefix, ops), options),
    async *entries(range, options) {
      for await (const [key, value] of store.entries(within(range), options))
        yield [key.subarray(prefix.length), value] as const
    },
    async *keys(range, options) {
      for await (const key of store.keys(within(range), options)) yield key.subarray(prefix.length)
    },
    clear: (range) => store.clear(within(range)),
    compact: (range) => store.compact(within(range)),
    close: async () => undefined,
  }
}

/** Writes that were made for the key space, as writes of the whole store. */
export const inKeySpace = (prefix: Buffer, ops: readonly WriteOp[]): WriteOp[] =>
  ops.map((op) => ({ ...op, key: Buffer.concat([prefix, op.key]) }))
