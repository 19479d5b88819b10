import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { expect, it } from 'vitest'

const MODULE = resolve(import.meta.dirname, '../../../gateway/cli/young-generation.ts')

/** In a process of its own: what is watched is the process. */
const PROGRAM = `
  import { getHeapSpaceStatistics } from 'node:v8'
  import { growOnlyWhenBusy } from ${JSON.stringify(MODULE)}
  const size = () => getHeapSpaceStatistics().find((space) => space.space_name === 'new_space').space_size
  const kept = []
  const load = () => { for (let i = 0; i < 500_000; i++) kept.push({ i }) }
  growOnlyWhenBusy()
  load()
  const loaded = size()
  const waiting = setInterval(() => {
    const until = performance.now() + 97
    while (performance.now() < until) for (let i = 0; i < 1000; i++) kept[i] = { i }
    kept.length = 500_000
    load()
    if (size() > 16e6) {
      clearInterval(waiting)
      console.log(JSON.stringify({ loaded, busy: size() }))
    }
  }, 100)
`

it('grows when the event loop is busy, and not while the program loads', { timeout: 30_000 }, () => {
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', PROGRAM],
    { encoding: 'utf8', timeout: 25_000 },
  )
  const { loaded, busy } = JSON.parse(stdout || stderr)
  expect(loaded).toBeLessThan(6e6)
  expect(busy).toBeGreaterThan(16e6)
})
