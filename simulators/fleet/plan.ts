import { type Millis, type ReadingValue, UsageError } from '../../sync/contract/index.ts'
import { type Random, seededRandom } from '../../sync/runtime/index.ts'
import { deriveSeed } from '../signals/index.ts'
import { type DeviceSpec, fillTopic, GROUP_TOPIC, type Misbehaviour, type PayloadForm, TOPIC } from './device.ts'
import { type Draft, encodePayload, namesMetrics } from './payload.ts'
import { spoiledPayload } from './spoiled-payload.ts'

/** The truth about one reading: what the central stream has to hold. */
export interface PlannedReading {
  metric: string
  value: ReadingValue
  time: Millis
  /** By what it can be told from the others: counter, timestamp, or not at all. */
  key: { by: 'seq'; seq: number; session: string } | { by: 'time' } | { by: 'count' }
}

/** One publish, and the truth about it. */
export interface PlannedPublish {
  device: string
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  kind: 'reading' | 'repeat' | 'spoiled'
  /** Empty when spoiled. */
  readings: readonly PlannedReading[]
}

/** What a device does at one moment. */
export interface Sample {
  /** It started again just before: what it had not sent is gone. */
  restarted: boolean
  publishes: PlannedPublish[]
}

interface HeldBack {
  publish: PlannedPublish
  /** Publishes that go first. */
  behind: number
}

/**
 * What one device measures, and how it goes wrong telling it: a pure generator. The same spec, seed, run and times give the
 * same publishes, byte for byte.
 */
export class DevicePlan {
  readonly spec: DeviceSpec
  readonly #form: PayloadForm
  readonly #run: string
  readonly #random: Random
  #life = 0
  #seq = 0
  #bornAt: Millis | undefined
  #lastTime: Millis = Number.NEGATIVE_INFINITY
  #silentUntil: Millis = Number.NEGATIVE_INFINITY
  #heldBack: HeldBack[] = []
  /** Readings that wait for their array to be full, by metric. */
  #batches = new Map<string, Draft[]>()

  /**
   * @param run names this run of the simulator: session names begin with it, so that a gateway that remembers an earlier
   *   run does not take this one's readings for repeats
   * @throws UsageError `DEVICE_SPEC_INVALID`
   */
  constructor(spec: DeviceSpec, options: { seed: number; run: string }) {
    if (spec.session === false && (spec.misbehaviour?.restart ?? 0) > 0) {
      throw invalid(spec, 'a device that restarts must name its sessions, or nobody can tell its readings from repeats')
    }
    if (spec.metrics.length === 0) throw invalid(spec, 'a device measures at least one metric')
    this.spec = spec
    this.#form = spec.form ?? 'object'
    this.#run = options.run
    this.#random = seededRandom(deriveSeed(options.seed, spec.device))
  }

  /** Whose topics these are: for finding the device of a dead letter. */
  topics(): { topic: string; metric?: string }[] {
    if (namesMetrics(this.#form)) return [{ topic: this.#topic('') }]
    return this.spec.metrics.map(({ metric }) => ({ topic: this.#topic(metric), metric }))
  }

  /** The device wakes up at `t` (Unix milliseconds, never going back) and measures. */
  sample(t: Millis): Sample {
    const { dropOut, restart = 0 } = this.#misbehaviour
    this.#bornAt ??= t
    const restarted = this.#happens(restart)
    if (restarted) this.#restart()
    if (t < this.#silentUntil) return { restarted, publishes: [] }
    if (dropOut !== undefined && this.#happens(dropOut.chance)) {
      const [least, most] = dropOut.lasting
      this.#silentUntil = t + least + (most - least) * this.#random.next()
      return { restarted, publishes: [] }
    }
    const drafts = this.#measure(t)
    return { restarted, publishes: this.#payloads(drafts).flatMap((group) => this.#misbehave(this.#publish(group))) }
  }

  /** What is still held back or waits for its array to be full: sent before the device is switched off. */
  flush(): PlannedPublish[] {
    const held = this.#heldBack.map(({ publish }) => publish)
    const rest = [...this.#batches.values()].filter((batch) => batch.length > 0).map((batch) => this.#publish(batch))
    this.#heldBack = []
    this.#batches = new Map()
    return [...held, ...rest]
  }

  get #misbehaviour(): Misbehaviour {
    return this.spec.misbehaviour ?? {}
  }

  /** Draws also when the chance is 0, so that changing one chance leaves the other decisions as they were. */
  #happens(chance: number): boolean {
    return this.#random.next() < chance
  }

  #restart(): void {
    this.#life++
    this.#seq = 0
    this.#heldBack = []
    this.#batches = new Map()
  }

  #measure(t: Millis): Draft[] {
    const { offset = 0, drift = 0 } = this.#misbehaviour.clock ?? {}
    const wrong = offset + ((t - (this.#bornAt ?? t)) * drift) / 1e6
    // Where the timestamp is the identity, two samples must not share one.
    const time = Math.max(Math.round(t + wrong), this.#lastTime + 1)
    this.#lastTime = time
    const seq = this.#seq++
    const session = `${this.#run}-${this.#life}`
    return this.spec.metrics.map(({ metric, unit, decimals, signal, convert }) => {
      const measured = Number(signal(t).toFixed(decimals))
      const value = convert?.(measured) ?? measured
      return { metric, unit, value, time, seq, ...(this.spec.session === false ? {} : { session }) }
    })
  }

  /** Which readings travel together. */
  #payloads(drafts: readonly Draft[]): Draft[][] {
    if (namesMetrics(this.#form)) return [[...drafts]]
    if (this.#form !== 'array') return drafts.map((draft) => [draft])
    const full: Draft[][] = []
    for (const draft of drafts) {
      const batch = this.#batches.get(draft.metric) ?? []
      batch.push(draft)
      this.#batches.set(draft.metric, batch)
      if (batch.length < (this.spec.batch ?? 5)) continue
      full.push(batch)
      this.#batches.delete(draft.metric)
    }
    return full
  }

  #publish(drafts: readonly Draft[]): PlannedPublish {
    return {
      device: this.spec.device,
      topic: this.#topic(drafts[0]?.metric ?? ''),
      payload: encodePayload(this.#form, drafts),
      qos: this.spec.qos ?? 1,
      kind: 'reading',
      readings: drafts.map(({ metric, value, time, seq, session = '' }) => ({
        metric,
        value,
        time,
        key:
          this.#form === 'number'
            ? { by: 'count' }
            : this.#form === 'senml'
              ? { by: 'time' }
              : { by: 'seq', seq, session },
      })),
    }
  }

  /** What leaves the device instead of the publish that it meant to send. */
  #misbehave(publish: PlannedPublish): PlannedPublish[] {
    const { duplicate = 0, outOfOrder = 0, spoil = 0 } = this.#misbehaviour
    const spoiled = this.#happens(spoil)
    const late = this.#happens(outOfOrder)
    const repeated = this.#happens(duplicate)
    const out: PlannedPublish[] = []
    if (spoiled) out.push({ ...publish, kind: 'spoiled', payload: spoiledPayload(this.#random), readings: [] })
    else if (late) this.#heldBack.push({ publish, behind: 1 + Math.floor(this.#random.next() * 3) })
    else {
      out.push(publish)
      // Nobody can tell the repeat of a bare number from a new reading: it would be one.
      if (repeated && this.#form !== 'number') out.push({ ...publish, kind: 'repeat' })
    }
    if (!late || spoiled) out.push(...this.#releaseHeldBack())
    return out
  }

  #releaseHeldBack(): PlannedPublish[] {
    for (const held of this.#heldBack) held.behind--
    const due = this.#heldBack.filter(({ behind }) => behind <= 0)
    this.#heldBack = this.#heldBack.filter(({ behind }) => behind > 0)
    return due.map(({ publish }) => publish)
  }

  #topic(metric: string): string {
    const template = this.spec.topic ?? (namesMetrics(this.#form) ? GROUP_TOPIC : TOPIC)
    return fillTopic(template, this.spec.device, metric)
  }
}

function invalid(spec: DeviceSpec, why: string): UsageError {
  return new UsageError('DEVICE_SPEC_INVALID', `device ${spec.device}: ${why}`)
}
