import type { ReadingValue } from '../../sync/contract/index.ts'
import type { CentralMessage } from './central.ts'
import { type Identity, identifyPayload } from './identify.ts'
import { type Ledger, spoiledKey, type TopicOwner } from './ledger.ts'
import { Observations } from './observations.ts'
import type { Sighting } from './observed.ts'
import { decodePack } from './pack.ts'
import { PositionCheck } from './positions.ts'
import type { SeriesLedger } from './series.ts'
import { tallyDevices } from './tally.ts'
import { judge, type Verdict } from './verdict.ts'

const MOST_FINDINGS = 20

export interface AuditOptions {
  /** Also hold devices against the stream that the ledger does not know at all: they are `invented`, not `foreign`. */
  strict?: boolean
}

type Outcome = Sighting | 'foreign' | 'unrecorded'

type DeadLetterOutcome = 'known' | 'repeated' | 'foreign' | 'unrecorded' | 'never-sent'

/**
 * Compares the central stream with the ledger, message by message: feed it the readings and the dead letters in stream
 * order, then ask for the verdict. It can be fed more afterwards.
 */
export class Audit {
  readonly #ledger: Ledger
  readonly #strict: boolean
  readonly #observed = new Observations()
  readonly #findings: string[] = []
  readonly #readingPositions = new PositionCheck((text) => this.#finding(text))
  readonly #deadLetterPositions = new PositionCheck((text) => this.#finding(text))
  #foreign = 0
  #unrecorded = 0
  #repeatedDeadLetters = 0

  constructor(ledger: Ledger, options: AuditOptions = {}) {
    this.#ledger = ledger
    this.#strict = options.strict ?? false
  }

  /** One message of the stream of readings. @returns how many records it held */
  readings(message: CentralMessage): number {
    const pack = decodePack(message)
    if (pack === null) return 0
    this.#readingPositions.check(pack, message.sequence)
    for (const record of pack.records) this.#reading(record as StoredReading, pack.origin, message.sequence)
    return pack.records.length
  }

  /** One message of the stream of dead letters. @returns how many records it held */
  deadLetters(message: CentralMessage): number {
    const pack = decodePack(message)
    if (pack === null) return 0
    this.#deadLetterPositions.check(pack, message.sequence)
    for (const record of pack.records) this.#deadLetter(record as StoredDeadLetter, message.sequence)
    return pack.records.length
  }

  verdict(): Verdict {
    const findings = [...this.#findings]
    const tallies = tallyDevices(this.#ledger, this.#observed, (text) => {
      if (findings.length < MOST_FINDINGS) findings.push(text)
    })
    return judge(tallies, {
      positions: { readings: this.#readingPositions.report, deadLetters: this.#deadLetterPositions.report },
      foreign: this.#foreign,
      unrecorded: this.#unrecorded,
      repeatedDeadLetters: this.#repeatedDeadLetters,
      ledgerTruncated: this.#ledger.truncated,
      findings,
    })
  }

  #reading(record: StoredReading, origin: string, sequence: number): void {
    const outcome = this.#classify(record, origin)
    if (outcome === 'stored') return
    if (outcome === 'foreign') this.#foreign++
    else if (outcome === 'unrecorded') this.#unrecorded++
    else {
      const counts = this.#observed.ofDevice(record.device)
      if (outcome === 'doubled') counts.doubled++
      else if (outcome === 'reordered') counts.reordered++
      else counts.invented++
      this.#finding(`message ${sequence}: ${outcome}: ${JSON.stringify(record)}`)
    }
  }

  #classify({ device, metric, value, seq, session = '', time, received }: StoredReading, origin: string): Outcome {
    const metrics = this.#ledger.devices.get(device)
    if (metrics === undefined) return this.#strict ? 'never-sent' : 'foreign'
    const known = metrics.get(metric)
    if (seq !== undefined) {
      if (!this.#ledger.ownsSession(session)) return 'foreign'
      const series = known?.bySession.get(session)
      // A ledger that was cut short may lack the introduction of a series as well as its last readings.
      if (series === undefined) return this.#ledger.truncated ? 'unrecorded' : 'never-sent'
      return this.#see(series, seq, value, origin)
    }
    if (received < this.#ledger.startedAt) return 'foreign'
    if (known?.byTime !== undefined && time !== undefined) return this.#see(known.byTime, time, value, origin)
    if (known?.counted === undefined) return this.#ledger.truncated ? 'unrecorded' : 'never-sent'
    this.#observed.ofCounted(known).stored++
    return 'stored'
  }

  #see(series: SeriesLedger, key: number, value: ReadingValue, origin: string): Outcome {
    const sighting = this.#observed.ofSeries(series).see(key, value, origin)
    const beyond = sighting === 'never-sent' && this.#ledger.truncated && key > series.attempted.max
    return beyond ? 'unrecorded' : sighting
  }

  #deadLetter(letter: StoredDeadLetter, sequence: number): void {
    const outcome = this.#classifyDeadLetter(letter)
    if (outcome === 'repeated') this.#repeatedDeadLetters++
    else if (outcome === 'foreign') this.#foreign++
    else if (outcome === 'unrecorded') this.#unrecorded++
    else if (outcome === 'never-sent') {
      const { topic = '' } = letter
      this.#observed.ofDevice(this.#ledger.topics.get(topic)?.device ?? topic).invented++
      this.#finding(`dead letter ${sequence}: ${outcome}: ${JSON.stringify(letter)}`)
    }
  }

  #classifyDeadLetter({ topic = '', payload = '', received = 0 }: StoredDeadLetter): DeadLetterOutcome {
    const bytes = Buffer.from(payload, 'base64')
    const spoiled = this.#ledger.spoiledEntries.get(spoiledKey(topic, bytes))
    if (spoiled !== undefined) {
      return this.#observed.spoiled(spoiled) > spoiled.attempted ? 'repeated' : 'known'
    }
    const owner = this.#ledger.topics.get(topic)
    if (owner === undefined) return this.#strict ? 'never-sent' : 'foreign'
    const identities = identifyPayload(bytes)
    let known = false
    for (const identity of identities) known = this.#markDead(owner, identity) || known
    if (known) return 'known'
    const counted = this.#ledger.devices.get(owner.device)?.get(owner.metric ?? '')
    if (counted?.counted !== undefined && identities.length === 0) {
      this.#observed.ofCounted(counted).deadLettered++
      return 'known'
    }
    const ours = identities.every(({ session = '' }) => this.#ledger.ownsSession(session))
    if (!ours || received < this.#ledger.startedAt) return 'foreign'
    return this.#ledger.truncated ? 'unrecorded' : 'never-sent'
  }

  /** Where neither topic nor payload name the metric (a flat object), all metrics of the device are meant. */
  #markDead(owner: TopicOwner, { metric, seq, session = '', time }: Identity): boolean {
    let known = false
    const wanted = owner.metric ?? metric
    for (const [name, ledger] of this.#ledger.devices.get(owner.device) ?? []) {
      const series = seq === undefined ? ledger.byTime : ledger.bySession.get(session)
      const key = seq ?? time
      if ((wanted ?? name) !== name || series === undefined || key === undefined) continue
      if (!series.attempted.has(key)) continue
      this.#observed.ofSeries(series).deadLettered.add(key)
      known = true
    }
    return known
  }

  #finding(text: string): void {
    if (this.#findings.length < MOST_FINDINGS) this.#findings.push(text)
  }
}

/** A line of a pack as it was read: nothing about it is certain. */
interface StoredReading {
  device: string
  metric: string
  value: ReadingValue
  received: number
  seq?: number
  session?: string
  time?: number
}

interface StoredDeadLetter {
  topic?: string
  payload?: string
  received?: number
}
