import { decodeLine, HEADERS, type Offset, type Reading, STREAMS } from '../../sync/contract/index.ts'
import { decodePackBody, decodePackFacts, offsetsOf } from '../../sync/forward/index.ts'
import type { SimulatedCentre } from '../../sync/link/index.ts'
import type { SimulatedDevice } from './device.ts'

/** What a run has shown; empty lists everywhere is a clean run. */
export interface Findings {
  /** Acknowledged, and not in the stream. */
  lost: string[]
  /** In the stream twice or more. */
  doubled: string[]
  /** Offsets of an origin that come twice, go back, or are missing without being declared. */
  broken: string[]
  /** Alarms whose chain has a hole, says the same twice, or ends otherwise than the readings do. */
  alarms: string[]
  /** What does not come to rest after everything was mended. */
  stuck: string[]
  /** Gateways that do not end with the same rule sets. */
  rules: string[]
}

/** Name of the one rule that the devices of a simulated site are watched by. */
export const RULE = 'high'
export const LIMIT = { raise: 80, clear: 70 }

const RAISED = 'tidegate.alarm.raised'
const CLEARED = 'tidegate.alarm.cleared'

interface Stored {
  origin: string
  offset: Offset
  reading: Reading
}

/**
 * Compares what the devices were told with what the centre has. Knows nothing of how gateways work: only the devices, and
 * what a consumer sees.
 *
 * @param excused acknowledged readings that may be missing: the only disk that had them was lost
 * @param findings gets what is found
 */
export async function audit(
  centre: SimulatedCentre,
  devices: readonly SimulatedDevice[],
  excused: ReadonlySet<string>,
  findings: Findings,
): Promise<void> {
  const stored = await readings(centre, findings.broken)
  const places = new Map<string, string[]>()
  for (const { origin, offset, reading } of stored) {
    const key = keyOf(reading)
    const known = places.get(key)
    if (known) known.push(`${origin}#${offset}`)
    else places.set(key, [`${origin}#${offset}`])
  }
  for (const [key, where] of places) if (where.length > 1) findings.doubled.push(`${key} at ${where.join(', ')}`)
  for (const device of devices)
    for (const said of device.said) {
      const { payload, ackedBy } = said
      if (ackedBy === null) continue
      const key = keyOf({ device: device.name, ...JSON.parse(payload) })
      if (!places.has(key) && !excused.has(key)) findings.lost.push(`${key}, acknowledged by ${ackedBy}`)
    }
  alarmFindings(centre, devices, findings.alarms)
}

/** What tells one reading of the world from all others. */
export function keyOf({ device, seq, session, id, time, value }: Partial<Reading>): string {
  return JSON.stringify([device, seq, session, id, time, value])
}

async function readings(centre: SimulatedCentre, broken: string[]): Promise<Stored[]> {
  const next = new Map<string, Offset>()
  const stored: Stored[] = []
  for (const { headers, body, subject, sequence } of centre.messages(STREAMS.readings)) {
    if (headers.has(HEADERS.fence)) continue
    const facts = decodePackFacts((name) => headers.get(name))
    const origin = `${subject}/${facts.epoch}`
    const expected = next.get(origin) ?? 0
    if (facts.from !== expected) broken.push(`${origin}: ${facts.from} follows ${expected} at ${sequence}`)
    next.set(origin, facts.to + 1)
    const lines = await decodePackBody(facts, body, headers.get(HEADERS.contentEncoding))
    let i = 0
    for (const offset of offsetsOf(facts)) stored.push({ origin, offset, reading: decodeLine(lines[i++] ?? '') })
    for (const gap of facts.gaps)
      if (gap.reason !== 'repeated') broken.push(`${origin}: ${gap.from}-${gap.to} ${gap.reason}`)
  }
  return stored
}

/** Chains without holes, transitions that alternate, and an end that agrees with the last reading. */
function alarmFindings(centre: SimulatedCentre, devices: readonly SimulatedDevice[], found: string[]): void {
  const chains = new Map<string, { since: number; transition: number; type: string }[]>()
  for (const { headers, subject } of centre.messages(STREAMS.events)) {
    const chain = chains.get(subject) ?? []
    chains.set(subject, chain)
    chain.push({
      since: Number(headers.get(HEADERS.since)),
      transition: Number(headers.get(HEADERS.transition)),
      type: headers.get('ce-type') ?? '',
    })
  }
  for (const [subject, chain] of chains) {
    if (subject.includes('@')) continue
    const newest = new Map<number, { transition: number; type: string }>()
    for (const { since, transition, type } of chain) {
      const last = newest.get(since) ?? { transition: 0, type: CLEARED }
      if (transition !== last.transition + 1)
        found.push(`${subject}: ${since}/${transition} follows ${last.transition}`)
      // What people do to an alarm comes in between, and changes nothing of what its readings show.
      const isShown = type === RAISED || type === CLEARED
      if (isShown && type === last.type) found.push(`${subject}: ${type} twice in a row at ${since}/${transition}`)
      newest.set(since, { transition, type: isShown ? type : last.type })
    }
  }
  for (const device of devices) {
    if (!device.saysOrder) continue
    const [subject, chain] = [...chains].find(([name]) => name.includes(`.${device.name}.`)) ?? []
    // Of two series, the one that began later holds.
    const since = Math.max(0, ...(chain ?? []).map((event) => event.since))
    const shownLast = chain?.findLast(
      (event) => event.since === since && (event.type === RAISED || event.type === CLEARED),
    )
    const raised = shownLast?.type === RAISED
    const shown = truth(device)
    if (raised !== shown)
      found.push(
        `${subject ?? device.name}: ends ${raised ? 'raised' : 'normal'}, and is ${shown ? 'raised' : 'normal'}`,
      )
  }
}

/** Whether the alarm of a device stands after its last reading. */
function truth(device: SimulatedDevice): boolean {
  let raised = false
  for (const { value } of device.said) raised = value > (raised ? LIMIT.clear : LIMIT.raise)
  return raised
}
