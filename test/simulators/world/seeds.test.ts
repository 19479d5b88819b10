import { describe, expect, it } from 'vitest'
import { ANYTHING, type Findings, live, worldOf } from '../../../simulators/world/index.ts'

const SEEDS = Number(process.env['TEST_SEEDS'] ?? 200)
const FIRST = Number(process.env['TEST_SEED'] ?? 1)
/** Seeds of one test: each says its own when it fails. */
const SHARE = 20

async function findingsOf(seed: number): Promise<Partial<Findings>> {
  const { findings } = await live(worldOf(seed, ANYTHING))
  return Object.fromEntries(Object.entries(findings).filter(([, found]) => found.length > 0))
}

describe('a site of gateways under faults from a seed', () => {
  it.each(Array.from({ length: Math.ceil(SEEDS / SHARE) }, (_, i) => FIRST + i * SHARE))(
    'loses nothing, doubles nothing, and comes to rest: seeds from %i',
    async (from) => {
      const found: Record<string, Partial<Findings>> = {}
      for (let seed = from; seed < Math.min(from + SHARE, FIRST + SEEDS); seed++) {
        const findings = await findingsOf(seed)
        if (Object.keys(findings).length > 0) found[`npm run simulate:faults -- --seed ${seed} --verbose`] = findings
        // Simulated time does not let the event loop in.
        await new Promise((resolve) => setImmediate(resolve))
      }
      expect(found).toEqual({})
    },
    120_000,
  )

  it.each([FIRST, FIRST + 1, FIRST + 2])('is the same site when it is lived again: seed %i', async (seed) => {
    const first = await live(worldOf(seed, ANYTHING))
    const again = await live(worldOf(seed, ANYTHING))
    expect(again.story).toEqual(first.story)
    expect(again.streams).toBe(first.streams)
    expect(again).toEqual(first)
    expect(first.acked).toBeGreaterThan(0)
  })

  it('is another one with another seed', async () => {
    const [one, other] = [await live(worldOf(FIRST, ANYTHING)), await live(worldOf(FIRST + 1, ANYTHING))]
    expect(one.streams).not.toBe(other.streams)
  })
})
