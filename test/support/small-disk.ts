import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished } from 'vitest'
import { type Disk, levelDisk, MemoryDisk } from '../../gateway/ports/index.ts'

const run = promisify(execFile)

/** A disk that is soon full, with a folder on it. */
export interface SmallDisk {
  /** `tmpfs`: a file system of its own with LevelDB on it; `memory`: a MemoryDisk, where mounting is not permitted. */
  kind: 'tmpfs' | 'memory'
  disk: Disk
  dir: string
}

/** Makes one for the running test. A machine where root may mount gets the real thing. */
export async function smallDisk(megabytes: number): Promise<SmallDisk> {
  const point = await mkdtemp(join(tmpdir(), 'tidegate-small-'))
  onTestFinished(() => rm(point, { recursive: true, force: true }))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tidegate-test', point])
  } catch (error) {
    if (!isForbidden(error)) throw error
    const disk = new MemoryDisk()
    disk.capacity = megabytes * 1024 * 1024
    return { kind: 'memory', disk, dir: '/data' }
  }
  // Hooks run in reverse order: unmounted, then removed.
  onTestFinished(async () => {
    await run('umount', ['--lazy', point])
  })
  return { kind: 'tmpfs', disk: levelDisk, dir: join(point, 'data') }
}

/** Not root, not permitted in this container, or no such program. */
const isForbidden = (error: unknown): boolean =>
  process.platform !== 'linux' ||
  (error instanceof Error && /ENOENT|superuser|permi(tt|ss)|not allowed/i.test(error.message))
