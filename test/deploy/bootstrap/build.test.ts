import { mkdir, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { hashSources } from '../../../deploy/bootstrap/build.mjs'
import { tempDir } from '../../support/temp-dir.ts'

async function tree(files: Record<string, string>): Promise<string> {
  const root = await tempDir()
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true })
    await writeFile(join(root, path), content)
  }
  return root
}

const SOURCES = {
  'tsconfig.json': '{}',
  'package-lock.json': '{}',
  'gateway/a.ts': 'a',
  'sync/b/c.ts': 'c',
  'flows/n.html': 'n',
}

describe('hashSources', () => {
  it('depends on names and contents only', async () => {
    const root = await tree(SOURCES)
    const before = await hashSources(root)
    await utimes(join(root, 'gateway/a.ts'), 1, 1)
    expect(await hashSources(root)).toBe(before)
    expect(await hashSources(await tree(SOURCES))).toBe(before)
  })

  it.each<[string, (root: string) => Promise<unknown>]>([
    ['is changed', (root) => writeFile(join(root, 'gateway/a.ts'), 'b')],
    ['that Node-RED reads is changed', (root) => writeFile(join(root, 'flows/n.html'), 'm')],
    ['is new', (root) => writeFile(join(root, 'gateway/d.ts'), '')],
    ['is gone', (root) => rm(join(root, 'sync/b/c.ts'))],
    ['is renamed', (root) => rename(join(root, 'gateway/a.ts'), join(root, 'gateway/z.ts'))],
    ['of the build is changed', (root) => writeFile(join(root, 'tsconfig.json'), '{ }')],
    ['of the dependencies is changed', (root) => writeFile(join(root, 'package-lock.json'), '{ }')],
  ])('is another one when a file %s', async (_, change) => {
    const root = await tree(SOURCES)
    const before = await hashSources(root)
    await change(root)
    expect(await hashSources(root)).not.toBe(before)
  })

  it('does not confuse the end of one file with the beginning of the next', async () => {
    const one = await tree({ 'gateway/a.ts': 'xy', 'gateway/b.ts': 'z' })
    const other = await tree({ 'gateway/a.ts': 'x', 'gateway/b.ts': 'yz' })
    expect(await hashSources(one)).not.toBe(await hashSources(other))
  })

  it('leaves out what the compiler does not read', async () => {
    const root = await tree(SOURCES)
    const before = await hashSources(root)
    await writeFile(join(root, 'gateway/notes.md'), 'n')
    expect(await hashSources(root)).toBe(before)
  })
})
