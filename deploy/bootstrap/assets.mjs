import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { built, ROOT } from './process.mjs'

/** What Node-RED reads beside the compiled nodes: their forms and help, the example flows, and the list of them all. */
const ASSET = /\.(html|json)$/

/** Copies to dist/flows/ what the compiler does not write there. */
export async function copyAssets() {
  for (const file of await assetsIn(join(ROOT, 'flows'))) {
    const target = built(relative(ROOT, file))
    await mkdir(dirname(target), { recursive: true })
    await copyFile(file, target)
  }
}

/**
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
export async function assetsIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile() && ASSET.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}
