import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'

/** A fresh folder for the running test, removed when it is over, however it ends. */
export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'tidegate-test-'))
  onTestFinished(() => rm(dir, { recursive: true, force: true }))
  return dir
}

/** The same for what several tests share; whoever made it removes it. */
export async function makeTempDir(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'tidegate-test-'))
  return { path, remove: () => rm(path, { recursive: true, force: true }) }
}
