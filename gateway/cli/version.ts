import { existsSync, readFileSync } from 'node:fs'

/** The version in package.json, which lies above this file in the source tree as well as in `dist/`. */
export function packageVersion(): string {
  for (const above of ['../../package.json', '../../../package.json']) {
    const file = new URL(above, import.meta.url)
    if (!existsSync(file)) continue
    const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string }
    return version
  }
  return 'of unknown version'
}
