import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ROOT, run, say } from './process.mjs'

/** @typedef {{ version?: string, integrity?: string, optional?: boolean, devOptional?: boolean }} LockedPackage */
/** @typedef {{ packages?: Record<string, LockedPackage> }} Lock */

/**
 * Installs the dependencies, unless exactly those that package-lock.json asks for are there.
 *
 * @returns {Promise<boolean>} false when that failed; npm has said why
 */
export async function ensureInstalled() {
  const wanted = await readLock(join(ROOT, 'package-lock.json'))
  const installed = await readLock(join(ROOT, 'node_modules/.package-lock.json'))
  const reason = reasonToInstall(wanted ?? {}, installed)
  if (reason === null) return true
  say(`installing dependencies (${reason})`)
  // The npm that called us, if one did: the one on PATH may be another.
  const npm = process.env['npm_execpath']
  const [program, prefix] = npm?.endsWith('.js') ? [process.execPath, [npm]] : ['npm', []]
  const { exitCode } = await run(program, [
    ...prefix,
    'ci',
    '--include=dev',
    '--no-audit',
    '--no-fund',
    '--loglevel=warn',
  ])
  if (exitCode !== 0) say('`npm ci` failed: see above')
  return exitCode === 0
}

/**
 * Why the installed packages will not do; null when they will. npm itself notes in node_modules what it has installed, as its last step.
 *
 * @param {Lock} wanted package-lock.json
 * @param {Lock | null} installed node_modules/.package-lock.json
 * @returns {string | null}
 */
export function reasonToInstall(wanted, installed) {
  if (installed === null) return 'none are there yet'
  for (const [path, { version, integrity, optional, devOptional }] of Object.entries(wanted.packages ?? {})) {
    if (path === '') continue
    const present = installed.packages?.[path]
    // Optional ones may be for another platform.
    if (present === undefined && (optional || devOptional)) continue
    if (present?.version !== version || present?.integrity !== integrity)
      return `package-lock.json has changed: ${path}`
  }
  return null
}

/**
 * @param {string} file
 * @returns {Promise<Lock | null>} null when there is none
 */
async function readLock(file) {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code === 'ENOENT') return null
    throw error
  }
}
