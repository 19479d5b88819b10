import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { Cursor } from '../../../../flows/nodes/shared/cursor.ts'
import { SimulatedClock } from '../../../../sync/runtime/index.ts'
import { tempDir } from '../../../support/temp-dir.ts'

async function fresh(): Promise<{ file: string; clock: SimulatedClock; cursor: Cursor }> {
  const file = join(await tempDir(), 'tidegate/events.json')
  const clock = new SimulatedClock()
  return { file, clock, cursor: new Cursor(file, clock) }
}

const stored = async (file: string): Promise<unknown> => JSON.parse(await readFile(file, 'utf8'))

test('there is no position before the first event', async () => {
  const { cursor } = await fresh()
  expect(await cursor.position()).toBeNull()
})

test('the first position is on disk at once', async () => {
  const { cursor, file, clock } = await fresh()
  cursor.advance('7')
  await clock.advance(0)
  await vi.waitFor(async () => expect(await stored(file)).toEqual({ after: '7' }))
})

test('a later one is on disk only when what was handed on has had time to arrive', async () => {
  const { cursor, file, clock } = await fresh()
  cursor.advance('6')
  await clock.advance(0)
  await vi.waitFor(async () => expect(await stored(file)).toEqual({ after: '6' }))
  cursor.advance('7')
  await clock.advance(499)
  cursor.advance('8')
  expect(await cursor.position()).toBe('8')
  expect(await stored(file)).toEqual({ after: '6' })
  await clock.advance(1)
  await vi.waitFor(async () => expect(await stored(file)).toEqual({ after: '7' }))
  await clock.advance(500)
  await vi.waitFor(async () => expect(await stored(file)).toEqual({ after: '8' }))
  expect(await new Cursor(file, clock).position()).toBe('8')
})

test('a file that cannot be read means: from the beginning', async () => {
  const { cursor, file, clock } = await fresh()
  cursor.advance('7')
  await clock.advance(500)
  await vi.waitFor(async () => expect(await stored(file)).toEqual({ after: '7' }))
  for (const text of ['', '{"after"', '{"after": 7}', '[]']) {
    await writeFile(file, text)
    expect(await new Cursor(file, clock).position(), text).toBe('start')
  }
})
