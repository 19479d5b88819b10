/** The seams to the disk. */
export type { Disk, KeyRange, KeyValueStore, StoreOptions, WriteOp } from './disk.ts'
export { inKeySpace, keySpace } from './key-space.ts'
export { levelDisk } from './level-disk.ts'
export { MemoryDisk } from './memory-disk.ts'
