import { spawnSync } from 'node:child_process'
import { resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { RoomWanted } from '../../../gateway/cli/heap-room.ts'

const MODULE = resolve(import.meta.dirname, '../../../gateway/cli/heap-room.ts')

describe('room in the heap', () => {
  it('is wanted when everything is collected again and again, for a minute, and then as long as that comes back', () => {
    const wanted = new RoomWanted()
    expect([0, 2, 1].map((full) => wanted.after(full))).toEqual([null, null, null])
    expect(wanted.after(3)).toBe(true)
    const minute = Array.from({ length: 240 }, () => wanted.after(0))
    expect(minute).toEqual([...Array.from({ length: 239 }, () => null), false])
    expect([wanted.after(0), wanted.after(30)]).toEqual([null, true])
  })

  it('is made when V8 collects everything too often', { timeout: 60_000 }, () => {
    // In a process of its own: what is watched is the process.
    const program = `
      import { makeRoomWhenCrowded } from ${JSON.stringify(MODULE)}
      makeRoomWhenCrowded((percent) => {
        console.log(percent)
        process.exit(0)
      })
      setInterval(gc, 50)
    `
    const args = ['--expose-gc', '--import', 'tsx', '--input-type=module', '--eval', program]
    const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: 50_000 })
    expect(stdout || stderr).toBe('200\n')
  })

  it('is something that this V8 knows how to make', () => {
    const { stdout } = spawnSync(process.execPath, ['--v8-options'], { encoding: 'utf8' })
    expect(stdout).toContain('--heap-growing-percent')
  })
})
