/** The seams to the disk. */
export type { Disk, KeyRange, KeyValueStore, StoreOptions, WriteOp } from './disk.ts'
export { levelDisk } from './level-disk.ts'
export { MemoryDisk } from './memory-disk.ts'
