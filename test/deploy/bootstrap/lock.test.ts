import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { withLock } from '../../../deploy/bootstrap/lock.mjs'
import { tempDir } from '../../support/temp-dir.ts'

it('lets one set-up after the other work, never two at once', async () => {
  const file = join(await tempDir(), 'deep', 'lock')
  let [inside, most, done] = [0, 0, 0]
  const work = async (): Promise<void> => {
    inside++
    most = Math.max(most, inside)
    expect(await readFile(file, 'utf8')).toBe(String(process.pid))
    inside--
    done++
  }
  await Promise.all([withLock(work, file), withLock(work, file), withLock(work, file)])
  expect([most, done]).toEqual([1, 3])
})

it('is let go when the work fails', async () => {
  const file = join(await tempDir(), 'lock')
  await expect(withLock(() => Promise.reject(new Error('no network')), file)).rejects.toThrow('no network')
  expect(await withLock(async () => 'again', file)).toBe('again')
})

it('is taken over from a process that is no more', async () => {
  const file = join(await tempDir(), 'lock')
  const child = spawn(process.execPath, ['--eval', ''])
  await once(child, 'exit')
  await writeFile(file, String(child.pid))
  expect(await withLock(async () => 'mine', file)).toBe('mine')
})

it('is taken over from a process that died before it wrote its id', async () => {
  const file = join(await tempDir(), 'lock')
  await writeFile(file, '')
  await utimes(file, 1, 1)
  expect(await withLock(async () => 'mine', file)).toBe('mine')
})
