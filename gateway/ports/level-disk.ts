import { mkdir, open, readFile, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Disk } from './disk.ts'
import { copyLevelIndex, errorCode, openLevelStore, repairLevelStore } from './level-store.ts'

const CHUNK_BYTES = 1024 * 1024

/** The machine's own disk, with LevelDB as the store. */
export const levelDisk: Disk = {
  openStore: openLevelStore,
  repairStore: repairLevelStore,
  copyIndex: copyLevelIndex,

  async readFile(path) {
    try {
      return await readFile(path, 'utf8')
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return null
      throw error
    }
  },

  async writeFile(path, text) {
    const draft = `${path}.new`
    const file = await open(draft, 'w')
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(draft, path)
    const folder = await open(dirname(path), 'r')
    try {
      await folder.sync()
    } finally {
      await folder.close()
    }
  },

  async makeFolder(path) {
    await mkdir(path, { recursive: true })
  },

  async freeBytes(path) {
    const facts = await statfs(path)
    return facts.bavail * facts.bsize
  },

  async sizeOf(path) {
    try {
      return (await stat(path)).size
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return null
      throw error
    }
  },

  async reserve(path, bytes) {
    const file = await open(path, 'w')
    try {
      const chunk = Buffer.alloc(Math.min(bytes, CHUNK_BYTES), 0x5a)
      for (let written = 0; written < bytes; ) {
        const { bytesWritten } = await file.write(chunk, 0, Math.min(chunk.length, bytes - written))
        written += bytesWritten
      }
      await file.sync()
    } catch (error) {
      await rm(path, { force: true })
      throw error
    } finally {
      await file.close()
    }
  },

  async release(path) {
    try {
      await rm(path)
      return true
    } catch (error) {
      if (errorCode(error) === 'ENOENT') return false
      throw error
    }
  },
}
