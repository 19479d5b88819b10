import { chmod, mkdir, readdir, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findNatsServer, newEnough } from '../../../simulators/central/find-server.ts'
import { run } from '../../../simulators/central/process.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** Something that says it is a nats-server of that version: only its answer to --version is asked for here. */
async function pretend(path: string, version: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, `#!/bin/sh\necho 'nats-server: v${version}'\n`)
  await chmod(path, 0o755)
  return path
}

describe('findNatsServer', () => {
  it('takes the one that NATS_SERVER names before any other', async () => {
    const dir = await tempDir()
    const path = await pretend(join(dir, 'own', 'my-nats'), '2.11.4')
    await pretend(join(dir, 'bin', 'nats-server'), '2.15.1')
    const env = { NATS_SERVER: path, PATH: join(dir, 'bin') }
    expect(await findNatsServer({ env, cacheDir: dir })).toEqual({ path, version: '2.11.4', from: 'NATS_SERVER' })
  })

  it.each([
    ['2.9.25', '2.9.25'],
    [null, 'it does not run'],
  ])(
    'refuses the one that NATS_SERVER names if it is unusable (%s) instead of taking another',
    async (version, why) => {
      const dir = await tempDir()
      const path = join(dir, 'own')
      if (version !== null) await pretend(path, version)
      await pretend(join(dir, 'bin', 'nats-server'), '2.15.1')
      const found = findNatsServer({ env: { NATS_SERVER: path, PATH: join(dir, 'bin') }, cacheDir: dir })
      await expect(found).rejects.toMatchObject({
        code: 'NATS_SERVER_UNUSABLE',
        message: `NATS_SERVER: expected the path of nats-server 2.10 or newer, got '${path}' (${why})`,
      })
    },
  )

  it('takes the first on PATH that is new enough', async () => {
    const dir = await tempDir()
    await pretend(join(dir, 'old', 'nats-server'), '2.9.10')
    const path = await pretend(join(dir, 'new', 'nats-server'), '2.10.0')
    const log: string[] = []
    const env = { PATH: `${join(dir, 'none')}:${join(dir, 'old')}:${join(dir, 'new')}` }
    const found = await findNatsServer({ env, cacheDir: dir, log: (line) => log.push(line) })
    expect(found).toEqual({ path, version: '2.10.0', from: 'PATH' })
    expect(log).toEqual([
      `${join(dir, 'old', 'nats-server')} is nats-server 2.9.10, need 2.10 or newer: looking further`,
    ])
  })

  it('takes the cached one when PATH has none', async () => {
    const dir = await tempDir()
    const path = await pretend(join(dir, 'tidegate', 'nats-server'), '2.15.1')
    expect(await findNatsServer({ env: { XDG_CACHE_HOME: dir, PATH: '' } })).toEqual({
      path,
      version: '2.15.1',
      from: 'cache',
    })
    const home = await pretend(join(dir, '.cache', 'tidegate', 'nats-server'), '2.15.2')
    expect(await findNatsServer({ env: { HOME: dir, PATH: '' } })).toMatchObject({ path: home })
  })

  it('says what to type where there is no apt', async () => {
    const cacheDir = await tempDir()
    await expect(findNatsServer({ env: { PATH: '' }, cacheDir })).rejects.toMatchObject({
      code: 'NATS_SERVER_MISSING',
      message: expect.stringMatching(/^expected nats-server 2\.10 or newer on PATH, found none, .* Run: .*nats-server/),
    })
  })

  it('says what to do when the cache cannot be written', async () => {
    const file = join(await tempDir(), 'file')
    await writeFile(file, '')
    const found = findNatsServer({ env: { PATH: '/usr/bin:/bin' }, cacheDir: join(file, 'cache') })
    await expect(found).rejects.toMatchObject({ code: hasMirror ? 'CACHE_UNWRITABLE' : 'NATS_SERVER_MISSING' })
  })
})

const hasMirror = (await run('apt-get', ['--version'], { timeout: 10_000 })).exitCode === 0

describe('fetching', () => {
  it("puts Debian's own server into the cache, whole, for two that ask at once; elsewhere says what to type", async () => {
    const cacheDir = join(await tempDir(), 'cache')
    const env = { PATH: '/usr/bin:/bin' }
    const both = Promise.all([findNatsServer({ env, cacheDir }), findNatsServer({ env, cacheDir })])
    if (!hasMirror) {
      await expect(both).rejects.toMatchObject({ code: 'NATS_SERVER_MISSING' })
      return
    }
    const path = join(cacheDir, 'nats-server')
    for (const found of await both) {
      expect(found).toMatchObject({ path, from: 'download' })
      expect(newEnough(found.version)).toBe(true)
    }
    expect((await stat(path)).size).toBeGreaterThan(10_000_000)
    // Package lists and archives are not kept.
    expect(await readdir(cacheDir)).toEqual(['nats-server'])
    expect(await findNatsServer({ env, cacheDir })).toMatchObject({ path, from: 'cache' })
  }, 180_000)
})

describe('newEnough', () => {
  it.each([
    ['2.10.0', true],
    ['2.15.1', true],
    ['3.0.0', true],
    ['2.9.25', false],
    ['1.99.0', false],
  ])('%s: %s', (version, enough) => {
    expect(newEnough(version)).toBe(enough)
  })
})
