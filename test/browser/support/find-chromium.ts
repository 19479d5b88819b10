import { execFile } from 'node:child_process'
import { access, constants } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { promisify } from 'node:util'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']
const MAC = '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'

/**
 * The browser of this machine: the one that `CHROMIUM` names, else the first on `PATH`.
 *
 * @throws Error that says how to get one
 */
export async function findChromium(env: NodeJS.ProcessEnv = process.env): Promise<string> {
  const named = env['CHROMIUM']
  const onPath = (env['PATH'] ?? '').split(delimiter).flatMap((folder) => NAMES.map((name) => join(folder, name)))
  for (const path of named ? [named] : [...onPath, MAC]) {
    if (await works(path)) return path
  }
  throw new Error(
    `expected Chromium or Chrome ${named ? `at CHROMIUM=${named}` : 'on PATH'}, found none. ` +
      'Debian, Ubuntu: sudo apt-get install --no-install-recommends chromium. macOS: brew install --cask google-chrome. ' +
      'Or set CHROMIUM to the path of one.',
  )
}

async function works(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK)
    await promisify(execFile)(path, ['--version'], { timeout: 20_000 })
    return true
  } catch {
    return false
  }
}
