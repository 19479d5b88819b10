import { describe, expect, it } from 'vitest'
import { type ChaosOptions, chaosSchedule, type Strike } from '../../../../gateway/cli/demo/chaos-schedule.ts'
import { seededRandom } from '../../../../sync/runtime/index.ts'

function first(count: number, seed: number, options: ChaosOptions): Strike[] {
  const schedule = chaosSchedule(seededRandom(seed), options)
  return Array.from({ length: count }, () => schedule.next().value)
}

describe('a schedule of kills', () => {
  it('is the same for the same seed, and another one for another', () => {
    const pair = { gateways: 2, wipe: true }
    expect(first(50, 7, pair)).toEqual(first(50, 7, pair))
    expect(first(50, 7, pair)).not.toEqual(first(50, 8, pair))
  })

  it.each([2, 3])('strikes all %i gateways, never one twice in a row', (gateways) => {
    const struck = first(100, 3, { gateways, wipe: false }).map(({ gateway }) => gateway)
    expect(new Set(struck).size).toBe(gateways)
    for (const [index, gateway] of struck.entries()) expect(gateway).not.toBe(struck[index - 1])
  })

  it('leaves time before each kill, and the gateway dead for a few seconds', () => {
    for (const { after, dead } of first(200, 5, { gateways: 2, wipe: false }))
      for (const time of [after, dead]) expect(time >= 2_000 && time <= 5_000).toBe(true)
  })

  it('deletes folders only where that is asked for, and then not always', () => {
    const wipes = (wipe: boolean): number => first(300, 1, { gateways: 2, wipe }).filter((strike) => strike.wipe).length
    expect(wipes(false)).toBe(0)
    expect(wipes(true)).toBeGreaterThan(50)
    expect(wipes(true)).toBeLessThan(150)
  })
})
