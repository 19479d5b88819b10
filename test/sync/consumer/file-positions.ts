import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import type { PositionStore } from '../../../sync/index.ts'

/** Positions in a file, one line each: origin, offset, and whatever the handler adds. The newest line counts. */
export const filePositions = (file: string, transactional = false): PositionStore => ({
  transactional,
  load(origin) {
    const lines = existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : []
    const newest = lines.filter((line) => line.startsWith(`${origin} `)).at(-1)
    return newest === undefined ? null : Number(newest.slice(origin.length + 1).split(' ')[0])
  },
  save: (origin, offset) => appendFileSync(file, `${origin} ${offset}\n`),
})
