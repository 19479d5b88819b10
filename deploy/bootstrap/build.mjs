import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join, relative, sep } from 'node:path'
import { assetsIn, copyAssets } from './assets.mjs'
import { built, ROOT, run, say } from './process.mjs'

/** Everything that the compiler reads, or that decides what it makes of it. */
const FOLDERS = ['gateway', 'sync', 'simulators', 'flows', 'test', 'deploy', 'docs']
const FILES = ['tsconfig.json', 'vitest.config.ts', 'package-lock.json']
const SOURCE = /\.[cm]?[jt]s$/

/** What the sources were when dist/ was made of them. */
const STAMP = built('.sources')

/**
 * Compiles to dist/ and bundles the program, unless that is what it holds already.
 *
 * @returns {Promise<boolean>} false when the compiler found fault; it has said where
 */
export async function ensureBuilt() {
  const sources = await hashSources(ROOT)
  if ((await readFile(STAMP, 'utf8').catch(() => '')) === sources) return true
  say('building')
  await mkdir(built('.'), { recursive: true })
  await rm(STAMP, { force: true })
  // Compared with the times of files, so taken from the same clock.
  await writeFile(built('.started'), '')
  const { mtimeMs: started } = await stat(built('.started'))
  const compiler = join(ROOT, 'node_modules/typescript/bin/tsc')
  const { exitCode } = await run(process.execPath, [compiler, '--project', '.', '--incremental', 'false'])
  if (exitCode !== 0) {
    say('the build failed: see above')
    return false
  }
  await copyAssets()
  await removeOlder(built('.'), started)
  // What it needs is installed only by now.
  const { bundle } = await import('./bundle.mjs')
  await bundle()
  await writeFile(STAMP, sources)
  return true
}

/**
 * One hash over names and contents of all sources.
 *
 * @param {string} root
 * @returns {Promise<string>}
 */
export async function hashSources(root) {
  const found = await Promise.all([
    ...FOLDERS.map((folder) => sourcesIn(join(root, folder))),
    assetsIn(join(root, 'flows')),
  ])
  const hash = createHash('sha256')
  for (const file of [...FILES.map((name) => join(root, name)), ...found.flat().sort()]) {
    const content = await readFile(file).catch(() => null)
    // The length keeps the end of one file apart from the beginning of the next.
    hash.update(`${relative(root, file).split(sep).join('/')}\n${content?.length ?? 'missing'}\n`)
    if (content !== null) hash.update(content)
  }
  return hash.digest('hex')
}

/**
 * @param {string} folder
 * @returns {Promise<string[]>}
 */
async function sourcesIn(folder) {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries
    .filter((entry) => entry.isFile() && SOURCE.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
}

/**
 * Removes what an earlier build left: the output of sources that are gone.
 *
 * @param {string} folder
 * @param {number} time
 */
async function removeOlder(folder, time) {
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(entry.parentPath, entry.name)
    if (entry.isFile() && (await stat(path)).mtimeMs < time) await rm(path)
  }
}
