import { type ReadingValue, STREAMS } from '../../sync/contract/index.ts'
import { byCounter } from './by-counter.ts'
import { byReception } from './by-reception.ts'
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
  session?: string
  seq?: number
  quality?: string
}

export interface AlarmAuditOptions {
  /** false when readings were given up: then only events that are there twice can be told */
  complete: boolean
  /**
   * Whether all gateways read one clock; true unless said. Otherwise the order of readings is what devices count: nobody can tell then
   * which of them came late, so none may.
   */
  oneClock?: boolean
  signal?: AbortSignal
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
 */
export async function auditAlarms(
  central: Central,
  thresholds: readonly KnownThreshold[],
  { complete, oneClock = true, signal }: AlarmAuditOptions,
): Promise<AlarmVerdict> {
  const expected = new Expectation(thresholds, oneClock)
  for await (const message of central.read(STREAMS.readings, 1, signal)) {
    const pack = decodePack(message)
    for (const record of pack?.records ?? []) expected.hear(record as StoredReading, pack?.origin ?? '')
  }
  expected.work()

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

/** The little that has to be remembered of a reading until all are there. */
type Heard = Pick<StoredReading, 'device' | 'received' | 'time' | 'session' | 'seq'> & { value: number; origin: string }

/** Every crossing that the readings make, until an event was found for it. */
class Expectation {
  readonly #thresholds = new Map<string, KnownThreshold>()
  readonly #series = new Map<string, { threshold: KnownThreshold; heard: Heard[] }>()
  readonly #open = new Map<string, number>()

  readonly #oneClock: boolean

  constructor(thresholds: readonly KnownThreshold[], oneClock: boolean) {
    this.#oneClock = oneClock
    for (const threshold of thresholds) this.#thresholds.set(threshold.metric, threshold)
  }

  hear(reading: StoredReading, origin: string): void {
    const { device, metric, value, quality } = reading
    const threshold = this.#thresholds.get(metric)
    if (!threshold || typeof value !== 'number' || quality === 'bad') return
    const name = JSON.stringify([device, metric])
    const series = this.#series.get(name) ?? { threshold, heard: [] }
    this.#series.set(name, series)
    // The rest of it, its labels above all, is not kept: all readings of a run are in memory until the end.
    const { received, time, session, seq } = reading
    series.heard.push({
      ...{ device, value, received, origin },
      ...(time === undefined ? {} : { time }),
      ...(session === undefined ? {} : { session }),
      ...(seq === undefined ? {} : { seq }),
    })
  }

  /** Everything was heard: finds the crossings. */
  work(): void {
    for (const { threshold, heard } of this.#series.values())
      this.#cross(threshold, this.#oneClock ? byReception(heard) : byCounter(heard))
  }

  #cross({ rule, raise, clear }: KnownThreshold, readings: readonly Heard[]): void {
    let raised = false
    let newest = Number.NEGATIVE_INFINITY
    for (const reading of readings) {
      const { device, value, received } = reading
      // Nothing is measured after it is heard.
      const time = Math.min(reading.time ?? received, received)
      // What is measured earlier than what was looked at changes nothing any more.
      if (this.#oneClock && time < newest) continue
      newest = time
      const beyond: boolean = raised ? value > clear : value > raise
      if (beyond === raised) continue
      raised = beyond
      const what = crossing(device, rule, raised ? 'raised' : 'cleared', reading)
      this.#open.set(what, (this.#open.get(what) ?? 0) + 1)
    }
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

/**
 * Names a crossing. A device that repeats a reading at another gateway has it received twice, and measured once: only what does not say
 * when it was measured is named by its reception.
 */
const crossing = (
  device: string,
  rule: string,
  kind: string,
  { value, received, time }: Pick<StoredReading, 'value' | 'received' | 'time'>,
): string =>
  `${device} ${rule} ${kind} by ${value} (${time === undefined ? `received ${received}` : `measured ${time}`})`
