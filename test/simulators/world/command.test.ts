import { describe, expect, it } from 'vitest'
import { readArguments } from '../../../simulators/world/command/arguments.ts'
import { employ } from '../../../simulators/world/command/crew.ts'
import type { Report } from '../../../simulators/world/command/report.ts'
import { replayCommand, worldOf } from '../../../simulators/world/command/schedule.ts'
import { ANYTHING } from '../../../simulators/world/index.ts'

describe('arguments', () => {
  it('have defaults', () => {
    expect(readArguments([])).toMatchObject({ from: 1, seeds: 1000, maxFailures: 10, ...ANYTHING })
    expect(readArguments(['--seed', '7'])).toMatchObject({ from: 7, seeds: 1 })
    expect(readArguments(['--from', '100', '--seeds', '50'])).toMatchObject({ from: 100, seeds: 50 })
  })

  it.each([['--seeds', '0'], ['--seeds', 'many'], ['--gateways', '4'], ['--durability', 'none'], ['--nonsense']])(
    'are refused with what is expected: %s %s',
    (...args) => {
      expect(() => readArguments(args.filter((arg) => arg !== undefined))).toThrow(/npm run simulate:faults/)
    },
  )
})

describe('a command to replay a seed', () => {
  it('leads to the same site', () => {
    const wish = { ...readArguments(['--gateways', '3', '--steps', '12', '--durability', 'local', '--forgetful']) }
    const again = readArguments(replayCommand(42, wish).split(' ').slice(4))
    expect(again).toMatchObject({ from: 42, seeds: 1, verbose: true })
    expect(worldOf(42, again)).toEqual(worldOf(42, wish))
  })
})

describe('a crew', () => {
  it('lives every seed once, and stops when nobody wants more', async () => {
    const lived = await run(20, () => true)
    expect(lived.map(({ seed }) => seed).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1))
    expect(lived.every(({ acked }) => acked >= 0)).toBe(true)
    expect((await run(1000, () => false)).length).toBeLessThan(20)
  }, 60_000)

  async function run(seeds: number, goOn: () => boolean): Promise<Report[]> {
    const lived: Report[] = []
    const wish = { ...ANYTHING, steps: 2 }
    const done = (reports: readonly Report[]): boolean => {
      lived.push(...reports)
      return goOn()
    }
    await employ({ jobs: 2, from: 1, seeds, wish, done, signal: new AbortController().signal })
    return lived
  }
})
