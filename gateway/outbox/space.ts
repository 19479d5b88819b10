import type { Bytes } from '../../sync/contract/index.ts'
import type { Disk } from '../ports/index.ts'
import { layout } from './identity.ts'

export interface SpaceSettings {
  /** Below this much free disk nothing more is accepted. */
  minFree: Bytes
  /** Size of a file that is given up when the disk is full, so that there is room to clean up. */
  reserve: Bytes
}

/** What LevelDB needs to open, and to write down what may go. */
const WORKING_ROOM: Bytes = 4 * 1024 * 1024

/**
 * The free space around the outbox, and the reserve: a file that holds some of it back for the day when nothing else is
 * left. LevelDB needs a few megabytes to open, and only an opening removes what a compaction left that ran out of space.
 *
 *     plenty --reserve given up--> tight --free for `minFree` and the reserve--> plenty
 *
 * While it is tight the disk counts as full. The reserve is made again as soon as it fits with some room to work in: it
 * must be there before the next compaction takes the space and fails the same way.
 */
export class Space {
  readonly #disk: Disk
  readonly #dir: string
  readonly #settings: SpaceSettings
  #state: 'plenty' | 'tight' = 'plenty'
  #held: boolean

  private constructor(disk: Disk, dir: string, settings: SpaceSettings, held: boolean) {
    this.#disk = disk
    this.#dir = dir
    this.#settings = settings
    this.#held = held
    if (!held) this.#state = 'tight'
  }

  static async around(disk: Disk, dir: string, settings: SpaceSettings): Promise<Space> {
    const held = settings.reserve === 0 || (await disk.sizeOf(layout.reserve(dir))) === settings.reserve
    return new Space(disk, dir, settings, held)
  }

  /** Whether the disk counts as full. */
  async isShort(): Promise<boolean> {
    const { minFree, reserve } = this.#settings
    const free = await this.#disk.freeBytes(this.#dir)
    if (free >= minFree + reserve) this.#state = 'plenty'
    return free < minFree || this.#state === 'tight'
  }

  /** Makes the reserve if it is missing and fits. */
  async keepReserve(): Promise<void> {
    const { reserve } = this.#settings
    if (this.#held || (await this.#disk.freeBytes(this.#dir)) < reserve + WORKING_ROOM) return
    try {
      await this.#disk.reserve(layout.reserve(this.#dir), reserve)
      this.#held = true
    } catch {
      // Not swallowed: a disk without room for it shows itself in `isShort`, or when something needed is written.
    }
  }

  /** Gives the reserve up if there is hardly any room left. */
  async makeRoom(): Promise<void> {
    if ((await this.#disk.freeBytes(this.#dir)) < WORKING_ROOM) await this.giveUpReserve()
  }

  /** Gives the reserve up; false when there was none. */
  async giveUpReserve(): Promise<boolean> {
    const { reserve } = this.#settings
    if (reserve === 0) return false
    this.#held = false
    this.#state = 'tight'
    return await this.#disk.release(layout.reserve(this.#dir))
  }
}
