import { describeError, type Millis } from '../../../sync/contract/index.ts'
import type { Findings } from '../audit.ts'
import { live, type WorldOptions } from '../world.ts'

/** What became of a seed. */
export interface Report {
  seed: number
  /** Only kinds of which there are any. */
  findings: Partial<Record<keyof Findings | 'failed', string[]>>
  readings: number
  acked: number
  simulated: Millis
}

/** Lives the site of a seed, whatever comes of it. */
export async function reportOn(world: WorldOptions): Promise<Report> {
  const { seed } = world
  try {
    const { findings, readings, acked, simulated } = await live(world)
    const found = Object.entries(findings).filter(([, list]) => list.length > 0)
    return { seed, findings: Object.fromEntries(found), readings, acked, simulated }
  } catch (error) {
    return { seed, findings: { failed: [describeError(error)] }, readings: 0, acked: 0, simulated: 0 }
  }
}
