import type { Bytes } from './units.ts'

/** Lines, one behind the other, as they go to disk: `bytes[0..length)`. Behind that there is room for more. */
export interface LineBuffer {
  bytes: Buffer
  /** Of the same bytes. */
  view: DataView
  length: Bytes
}
