import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ROOT, say } from './process.mjs'

const LOCK = join(ROOT, '.cache/setup.lock')

/**
 * Runs `work` while no other process sets up the same folder: `npm start` and `npm test` typed in two terminals at once must
 * not install on top of each other.
 *
 * @template T
 * @param {() => Promise<T>} work
 * @param {string} [file]
 * @returns {Promise<T>}
 */
export async function withLock(work, file = LOCK) {
  await mkdir(dirname(file), { recursive: true })
  await acquire(file)
  try {
    return await work()
  } finally {
    await rm(file, { force: true })
  }
}

/** @param {string} file */
async function acquire(file) {
  for (let told = false; ; ) {
    try {
      await writeFile(file, String(process.pid), { flag: 'wx' })
      return
    } catch (error) {
      if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error
    }
    const holder = Number(await readFile(file, 'utf8').catch(() => ''))
    if (holder > 0 ? !alive(holder) : await abandoned(file)) {
      // Renamed, not removed: of several that wait, only one can do it, and the others see a new lock or none.
      await rename(file, `${file}.${process.pid}`).catch(() => undefined)
      await rm(`${file}.${process.pid}`, { force: true })
      continue
    }
    if (!told) say(`another set-up is under way here (process ${holder}): waiting for it to remove ${file}`)
    told = true
    await pause(200)
  }
}

/**
 * Whether whoever made the lock died before it wrote its id into it.
 *
 * @param {string} file
 */
async function abandoned(file) {
  const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }))
  return Date.now() - mtimeMs > 10_000
}

/** @param {number} pid */
function alive(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // EPERM: somebody else's process, but there.
    return /** @type {NodeJS.ErrnoException} */ (error).code === 'EPERM'
  }
}
