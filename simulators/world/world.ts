import { createHash } from 'node:crypto'
import { describeError, type Millis, STREAMS } from '../../sync/contract/index.ts'
import type { SimulatedCentre } from '../../sync/link/index.ts'
import { audit, type Findings } from './audit.ts'
import { strike } from './faults/index.ts'
import { Site, type SiteOptions } from './site.ts'

export interface WorldOptions extends SiteOptions {
  /** Faults, one after the other. */
  steps: number
  /** The centre may lose what it has acknowledged. */
  forgetful?: boolean
}

export interface Outcome {
  seed: number
  findings: Findings
  clean: boolean
  /** What was done to the site, and what its gateways said, in order. */
  story: string[]
  /** A hash of everything that the centre has. */
  streams: string
  readings: number
  acked: number
  simulated: Millis
}

const SETTLE_WITHIN: Millis = 180_000
/** How often a site at rest is looked at again, and after how long: longer than a takeover takes. */
const ROUNDS = 2
const QUIET: Millis = 4000
/** With every so many seeds it is longer than anybody waits for anything, which is most of the time of a run. */
const PATIENT = 8
const LONG_QUIET: Millis = 25_000

/**
 * A whole site in one process, on a clock that moves by itself: gateways on disks that lose power, a network between them and to
 * the centre that is cut and lies, devices that move. Everything follows from the seed.
 */
export async function live(options: WorldOptions): Promise<Outcome> {
  const { seed, steps, forgetful = false } = options
  const site = new Site(options)
  await site.begin()
  for (let step = 0; step < steps; step++) {
    measure(site)
    await site.clock.advance(site.random.next() * 400)
    await strike(site, forgetful)
  }
  const findings: Findings = { lost: [], doubled: [], broken: [], alarms: [], stuck: [], rules: [] }
  await site.mend()
  try {
    await settle(site, seed % PATIENT === 0 ? LONG_QUIET : QUIET)
  } catch (error) {
    findings.stuck.push(`${describeError(error)}: ${site.open()}`)
  }
  for (const device of site.devices) device.stop()
  findings.rules.push(...site.otherRules())
  await audit(site.centre, site.devices, site.excused, findings)
  const streams = hashOf(site.centre)
  await site.end()
  return {
    seed,
    findings,
    clean: Object.values(findings).every((list) => list.length === 0),
    story: site.story,
    streams,
    readings: site.devices.reduce((sum, { said }) => sum + said.length, 0),
    acked: site.devices.reduce((sum, { said }) => sum + said.filter(({ ackedBy }) => ackedBy !== null).length, 0),
    simulated: site.clock.monotonic(),
  }
}

function measure({ devices, random }: Site): void {
  for (const device of devices) {
    const count = Math.floor(random.next() * 4)
    for (let i = 0; i < count; i++) {
      const high = random.next() < 0.15
      const value = high ? 90 + Math.floor(random.next() * 10) : 20 + Math.floor(random.next() * 45)
      device.measure(value)
    }
  }
}

/** Waits until nothing is on its way any more. */
async function settle(site: Site, quiet: Millis): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    await site.clock.runUntil(() => site.isQuiet(), SETTLE_WITHIN)
    await site.clock.advance(quiet)
  }
  await site.clock.runUntil(() => site.isQuiet(), SETTLE_WITHIN)
}

function hashOf(centre: SimulatedCentre): string {
  const hash = createHash('sha256')
  for (const stream of Object.values(STREAMS))
    for (const { sequence, subject, headers, body } of centre.messages(stream)) {
      hash.update(`${stream} ${sequence} ${subject} ${JSON.stringify([...headers])} ${body.length}\n`)
      hash.update(body)
    }
  return hash.digest('hex')
}
