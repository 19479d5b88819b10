import { type Millis, type ReadingValue, STREAMS } from '../../sync/contract/index.ts'
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
  /** The readings say that it happened, and no event does, not even by a later reading. Must be 0. */
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
  const site = new AlarmsOfSite(thresholds, oneClock)
  for await (const message of central.read(STREAMS.readings, 1, signal)) {
    const pack = decodePack(message)
    for (const record of pack?.records ?? []) site.hear(record as StoredReading, pack?.origin ?? '')
  }
  const verdict: AlarmVerdict = { raised: 0, cleared: 0, missed: 0, doubled: 0, findings: [] }
  const rules = new Set(thresholds.map(({ rule }) => rule))
  const ids = new Set<string>()
  for await (const message of central.read(STREAMS.events, 1, signal)) {
    const event = JSON.parse(Buffer.from(message.body).toString('utf8')) as StoredEvent
    const kind = event.type.replace('tidegate.alarm.', '')
    if (!rules.has(event.rule) || (kind !== 'raised' && kind !== 'cleared')) continue
    verdict[kind]++
    const again = ids.has(event.id)
    ids.add(event.id)
    const { reading } = event.data
    const what = crossing(event.device, event.rule, kind, reading)
    const at = measured(reading)
    site.tell(event, { what, kind, at, again, name: `${event.id} ${kind}`, sequence: message.sequence })
  }
  const { doubled, missed } = site.judge(complete)
  const surplus = doubled
    .toSorted((a, b) => a.sequence - b.sequence)
    .map(({ sequence, again, name }) => `message ${sequence}: ${again ? 'again' : 'no reading says so'}: ${name}`)
  const findings = [...surplus, ...missed.map((what) => `no event: ${what}`)].slice(0, MOST_FINDINGS)
  return { ...verdict, doubled: doubled.length, missed: missed.length, findings }
}

/** The little that has to be remembered of a reading until all are there. */
type Heard = Pick<StoredReading, 'device' | 'received' | 'time' | 'session' | 'seq'> & { value: number; origin: string }

/** What an event says that happened. */
interface Told {
  what: string
  kind: Kind
  /** When its reading was measured. */
  at: Millis
  /** An event with this id was there before. */
  again: boolean
  name: string
  sequence: number
}

type Kind = 'raised' | 'cleared'

/** A reading that raises or clears an alarm. */
interface Crossing {
  what: string
  kind: Kind
  /** When it was measured, */
  at: Millis
  /** and that which ends it. */
  until: Millis
}

/** What is wrong about alarms. */
interface Wrong {
  doubled: readonly Told[]
  missed: readonly string[]
}

interface Alarm {
  threshold: KnownThreshold | null
  heard: Heard[]
  told: Told[]
}

/** Every alarm of every device: what its readings say, and what was told. */
class AlarmsOfSite {
  readonly #thresholds = new Map<string, KnownThreshold>()
  readonly #alarms = new Map<string, Alarm>()

  readonly #oneClock: boolean

  constructor(thresholds: readonly KnownThreshold[], oneClock: boolean) {
    this.#oneClock = oneClock
    for (const threshold of thresholds) this.#thresholds.set(threshold.metric, threshold)
  }

  hear(reading: StoredReading, origin: string): void {
    const { device, metric, value, quality } = reading
    const threshold = this.#thresholds.get(metric)
    if (!threshold || typeof value !== 'number' || quality === 'bad') return
    const alarm = this.#alarm(device, threshold.rule)
    alarm.threshold = threshold
    // The rest of it, its labels above all, is not kept: all readings of a run are in memory until the end.
    const { received, time, session, seq } = reading
    alarm.heard.push({
      ...{ device, value, received, origin },
      ...(time === undefined ? {} : { time }),
      ...(session === undefined ? {} : { session }),
      ...(seq === undefined ? {} : { seq }),
    })
  }

  tell({ device, rule }: StoredEvent, told: Told): void {
    this.#alarm(device, rule).told.push(told)
  }

  judge(complete: boolean): Wrong {
    const wrong = [...this.#alarms.values()].map((alarm) => judged(alarm, complete, this.#oneClock))
    return { doubled: wrong.flatMap(({ doubled }) => doubled), missed: wrong.flatMap(({ missed }) => missed) }
  }

  #alarm(device: string, rule: string): Alarm {
    const name = JSON.stringify([device, rule])
    const alarm = this.#alarms.get(name) ?? { threshold: null, heard: [], told: [] }
    this.#alarms.set(name, alarm)
    return alarm
  }
}

function judged({ threshold, heard, told }: Alarm, complete: boolean, oneClock: boolean): Wrong {
  if (!complete) return { doubled: told.filter(({ again }) => again), missed: [] }
  // Where clocks differ, what is measured earlier cannot be told: the order is what devices count, and none of it is late.
  const orders = oneClock ? ordersOf(heard).map(inTime) : [byCounter(heard)]
  const [first, ...others] = orders.map((readings) => compared(threshold, readings, told))
  const size = ({ doubled, missed }: Wrong): number => doubled.length + missed.length
  return others.reduce<Wrong>((best, other) => (size(other) < size(best) ? other : best), first ?? NOTHING)
}

const NOTHING: Wrong = { doubled: [], missed: [] }

/**
 * The orders in which gateways may have heard what is in the stream. Of a reading that two of them have, one copy stays, and says when that
 * gateway received it: a device that repeats what it has no answer for seems to have said the rest of it before then. What it did not say
 * late was heard as it was measured.
 */
function ordersOf(heard: readonly Heard[]): (readonly Heard[])[] {
  const isOfOne = heard.every(({ origin }) => origin === heard[0]?.origin)
  return [byReception(heard), ...(isOfOne ? [] : [heard.toSorted((a, b) => measured(a) - measured(b))])]
}

function compared(threshold: KnownThreshold | null, readings: readonly Heard[], told: readonly Told[]): Wrong {
  const open = new Map<string, number>()
  const crossed = threshold === null ? [] : crossings(threshold, readings)
  for (const { what } of crossed) open.set(what, (open.get(what) ?? 0) + 1)
  const doubled = told.filter(({ what, again }) => {
    const left = open.get(what) ?? 0
    open.set(what, Math.max(0, left - 1))
    return again || left === 0
  })
  // Told of by a later reading that shows the same, it was told of late, and is one too many only by name.
  const isLate = ({ kind, at, until }: Crossing): boolean =>
    doubled.some((one) => !one.again && one.kind === kind && one.at >= at && one.at < until)
  const missed = crossed.filter((one) => {
    const left = open.get(one.what) ?? 0
    open.set(one.what, Math.max(0, left - 1))
    return left > 0 && !isLate(one)
  })
  return { doubled, missed: missed.map(({ what }) => what) }
}

/** Every crossing that readings make, in this order. */
function crossings({ rule, raise, clear }: KnownThreshold, readings: readonly Heard[]): Crossing[] {
  const found: Crossing[] = []
  let raised = false
  for (const reading of readings) {
    const { device, value } = reading
    const beyond: boolean = raised ? value > clear : value > raise
    if (beyond === raised) continue
    raised = beyond
    const [kind, at]: [Kind, Millis] = [raised ? 'raised' : 'cleared', measured(reading)]
    const before = found.at(-1)
    if (before) before.until = at
    found.push({ what: crossing(device, rule, kind, reading), kind, at, until: Number.POSITIVE_INFINITY })
  }
  return found
}

/** Without what is measured earlier than what was looked at: it changes nothing any more. */
function inTime(readings: readonly Heard[]): readonly Heard[] {
  let newest = Number.NEGATIVE_INFINITY
  return readings.filter((reading) => {
    const isLate = measured(reading) < newest
    if (!isLate) newest = measured(reading)
    return !isLate
  })
}

/** Nothing is measured after it is heard. */
const measured = ({ time, received }: Pick<StoredReading, 'time' | 'received'>): Millis =>
  Math.min(time ?? received, received)

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
