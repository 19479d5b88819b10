import { type ReadingValue, STREAMS } from '../../sync/contract/index.ts'
import type { Central } from './central.ts'
import { decodePack } from './pack.ts'

/** A threshold whose alarms are known beforehand: beyond `raise`, back at `clear`. */
export interface KnownThreshold {
  rule: string
  metric: string
  raise: number
  clear: number
}

/** What became of the alarms that the readings must have raised. */
export interface AlarmVerdict {
  /** In the stream of events. */
  raised: number
  cleared: number
  /** The readings say that it happened, and no event does. Must be 0. */
  missed: number
  /** Events beyond one for each crossing. Must be 0. */
  doubled: number
  findings: string[]
}

interface StoredReading {
  device: string
  metric: string
  value: ReadingValue
  time?: number
  received: number
  quality?: string
}

interface StoredEvent {
  id: string
  device: string
  rule: string
  type: string
  data: { reading: StoredReading }
}

const MOST_FINDINGS = 10

/**
 * Works out from the stream of readings which alarms there must have been, with nothing of the gateway's own rules, and compares
 * that with the stream of events, crossing by crossing.
 *
 * @param complete false when readings were given up: then only events that are there twice can be told
 */
export async function auditAlarms(
  central: Central,
  thresholds: readonly KnownThreshold[],
  complete: boolean,
  signal?: AbortSignal,
): Promise<AlarmVerdict> {
  const expected = new Expectation(thresholds)
  for await (const message of central.read(STREAMS.readings, 1, signal))
    for (const record of decodePack(message)?.records ?? []) expected.hear(record as StoredReading)

  const verdict: AlarmVerdict = { raised: 0, cleared: 0, missed: 0, doubled: 0, findings: [] }
  const find = (text: string): void => void (verdict.findings.length < MOST_FINDINGS && verdict.findings.push(text))
  const rules = new Set(thresholds.map(({ rule }) => rule))
  const ids = new Set<string>()
  for await (const message of central.read(STREAMS.events, 1, signal)) {
    const event = JSON.parse(Buffer.from(message.body).toString('utf8')) as StoredEvent
    const kind = event.type.replace('tidegate.alarm.', '')
    if (!rules.has(event.rule) || (kind !== 'raised' && kind !== 'cleared')) continue
    verdict[kind]++
    const again = ids.has(event.id)
    ids.add(event.id)
    const known = expected.take(crossing(event.device, event.rule, kind, event.data.reading))
    if (again || (complete && !known)) {
      verdict.doubled++
      find(`message ${message.sequence}: ${again ? 'again' : 'no reading says so'}: ${event.id} ${kind}`)
    }
  }
  if (complete)
    for (const what of expected.left()) {
      verdict.missed++
      find(`no event: ${what}`)
    }
  return verdict
}

/** Every crossing that the readings make, until an event was found for it. */
class Expectation {
  readonly #thresholds = new Map<string, KnownThreshold>()
  readonly #series = new Map<string, { raised: boolean; newest: number }>()
  readonly #open = new Map<string, number>()

  constructor(thresholds: readonly KnownThreshold[]) {
    for (const threshold of thresholds) this.#thresholds.set(threshold.metric, threshold)
  }

  hear(reading: StoredReading): void {
    const { device, metric, value, quality } = reading
    const threshold = this.#thresholds.get(metric)
    if (!threshold || typeof value !== 'number' || quality === 'bad') return
    const name = JSON.stringify([device, metric])
    const known = this.#series.get(name) ?? { raised: false, newest: Number.NEGATIVE_INFINITY }
    // Nothing is measured after it is heard.
    const time = Math.min(reading.time ?? reading.received, reading.received)
    // What is measured earlier than what was looked at changes nothing any more.
    if (time < known.newest) return
    const raised = known.raised ? value > threshold.clear : value > threshold.raise
    this.#series.set(name, { raised, newest: time })
    if (raised === known.raised) return
    const what = crossing(device, threshold.rule, raised ? 'raised' : 'cleared', reading)
    this.#open.set(what, (this.#open.get(what) ?? 0) + 1)
  }

  /** @returns whether there was such a crossing without its event */
  take(what: string): boolean {
    const open = this.#open.get(what) ?? 0
    if (open > 1) this.#open.set(what, open - 1)
    else this.#open.delete(what)
    return open > 0
  }

  *left(): Iterable<string> {
    for (const [what, count] of this.#open) for (let i = 0; i < count; i++) yield what
  }
}

const crossing = (device: string, rule: string, kind: string, { value, received, time }: StoredReading): string =>
  `${device} ${rule} ${kind} by ${value} (received ${received}, measured ${time ?? 'then'})`
