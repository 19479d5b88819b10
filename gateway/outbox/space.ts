import type { Bytes } from '../../sync/contract/index.ts'
import type { Disk } from '../ports/index.ts'
import { layout } from './identity.ts'

export interface SpaceSettings {
  /** Below this much free disk nothing more is accepted. */
  minFree: Bytes
  /** Size of a file that is given up when the disk is full, so that there is room to clean up. */
  reserve: Bytes
}

/** The free space around the outbox, and a file that holds some of it back for bad days. */
export class Space {
  readonly #disk: Disk
  readonly #dir: string
  readonly #settings: SpaceSettings

  constructor(disk: Disk, dir: string, settings: SpaceSettings) {
    this.#disk = disk
    this.#dir = dir
    this.#settings = settings
  }

  /** Whether the disk counts as full. */
  async isShort(): Promise<boolean> {
    return (await this.#disk.freeBytes(this.#dir)) < this.#settings.minFree
  }

  /** Makes the reserve, if there is plenty of room. */
  async keepReserve(): Promise<void> {
    const { minFree, reserve } = this.#settings
    if (reserve === 0 || (await this.#disk.freeBytes(this.#dir)) < minFree + reserve) return
    try {
      await this.#disk.reserve(layout.reserve(this.#dir), reserve)
    } catch {
      // Not swallowed: a disk without room for a comfort shows itself in `isShort`, or when something needed is written.
    }
  }

  /** Gives the reserve up; false when there was none. */
  giveUpReserve(): Promise<boolean> {
    return this.#disk.release(layout.reserve(this.#dir))
  }
}
