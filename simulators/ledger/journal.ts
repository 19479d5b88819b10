import { closeSync, openSync, writeSync } from 'node:fs'
import { type Millis, OperatorError } from '../../sync/contract/index.ts'
import { type Clock, systemClock } from '../../sync/runtime/index.ts'
import type { CountedLedger, LedgerListener, SpoiledLedger, TopicOwner } from './ledger.ts'
import { Ledger } from './ledger.ts'
import type { SeriesLedger } from './series.ts'

/** Lines of a ledger's file, as JSON arrays; the first element says which. */
export type JournalLine =
  | ['ledger', version: 1, startedAt: Millis]
  | ['run', run: string]
  | ['series', id: number, key: 'seq' | 'time', device: string, metric: string, session: string]
  | ['topic', topic: string, device: string, metric: string | null]
  | ['sent', id: number, from: number, fingerprints: number[]]
  | ['range', id: number, from: number, to: number]
  | ['acked', id: number, from: number, to: number]
  | ['counted', device: string, metric: string, attempted: number, acknowledged: number]
  | ['spoiled', device: string, topic: string, key: string, attempted: number, acknowledged: number]
  | ['end']

export interface JournalOptions {
  path: string
  clock?: Clock
  /** Longest time that an entry waits in memory: what a killed process takes with it. */
  flushEvery?: Millis
}

const LONGEST_RUN = 2_000
const MOST_PENDING = 20_000

interface PendingSeries {
  sentFrom: number
  sent: number[]
  ackedFrom: number
  ackedTo: number
}

/**
 * Writes what a ledger records to a file, append-only: one JSON array a line, runs of neighbouring readings folded into one.
 * Entries wait up to `flushEvery` in memory; what a killed writer took with it shows as a missing last line `["end"]`.
 * Not synced to the disk: it outlives its process, not a power cut.
 */
export class LedgerJournal implements LedgerListener {
  readonly #file: number
  readonly #clock: Clock
  readonly #flushEvery: Millis
  readonly #pending = new Map<SeriesLedger, PendingSeries>()
  readonly #counts = new Map<CountedLedger, { attempted: number; acknowledged: number }>()
  #pendingEntries = 0
  #lines: string[] = []
  #cancelFlush: (() => void) | undefined
  #failure: OperatorError | undefined
  #closed = false

  private constructor(file: number, options: JournalOptions) {
    this.#file = file
    this.#clock = options.clock ?? systemClock
    this.#flushEvery = options.flushEvery ?? 250
  }

  /**
   * A new ledger that writes itself to a new file.
   *
   * @throws OperatorError `LEDGER_FILE_FAILED` when the file exists already or cannot be made
   */
  static create(options: JournalOptions): { ledger: Ledger; journal: LedgerJournal } {
    let file: number
    try {
      file = openSync(options.path, 'ax')
    } catch (cause) {
      throw fileFailed(options.path, cause)
    }
    const journal = new LedgerJournal(file, options)
    const ledger = new Ledger({ startedAt: journal.#clock.now(), listener: journal })
    journal.#write(['ledger', 1, ledger.startedAt])
    return { ledger, journal }
  }

  run(run: string): void {
    this.#write(['run', run])
  }

  series(series: SeriesLedger): void {
    this.#write(['series', series.id, series.key, series.device, series.metric, series.session])
  }

  topic(topic: string, owner: TopicOwner): void {
    this.#write(['topic', topic, owner.device, owner.metric ?? null])
  }

  counted(entry: CountedLedger, attempted: number, acknowledged: number): void {
    let pending = this.#counts.get(entry)
    if (pending === undefined) {
      pending = { attempted: 0, acknowledged: 0 }
      this.#counts.set(entry, pending)
    }
    pending.attempted += attempted
    pending.acknowledged += acknowledged
    this.#entryAdded()
  }

  spoiled(entry: SpoiledLedger, attempted: number, acknowledged: number): void {
    this.#write(['spoiled', entry.device, entry.topic, entry.key, attempted, acknowledged])
  }

  attempted(series: SeriesLedger, key: number, valueFingerprint: number): void {
    const pending = this.#pendingOf(series)
    if (key !== pending.sentFrom + pending.sent.length || pending.sent.length >= LONGEST_RUN) {
      this.#foldSent(series, pending)
      pending.sentFrom = key
    }
    pending.sent.push(valueFingerprint)
    this.#entryAdded()
  }

  attemptedRange(series: SeriesLedger, from: number, to: number): void {
    this.#foldSent(series, this.#pendingOf(series))
    this.#write(['range', series.id, from, to])
  }

  acknowledged(series: SeriesLedger, from: number, to: number): void {
    const pending = this.#pendingOf(series)
    if (from !== pending.ackedTo + 1) {
      this.#foldAcked(series, pending)
      pending.ackedFrom = from
    }
    pending.ackedTo = to
    this.#entryAdded()
  }

  /**
   * Writes what waits.
   *
   * @throws OperatorError `LEDGER_FILE_FAILED`
   */
  flush(): void {
    for (const [series, pending] of this.#pending) this.#foldAcked(series, pending)
    for (const [{ device, metric }, { attempted, acknowledged }] of this.#counts) {
      this.#write(['counted', device, metric, attempted, acknowledged])
    }
    this.#pending.clear()
    this.#counts.clear()
    this.#pendingEntries = 0
    this.#cancelFlush?.()
    this.#cancelFlush = undefined
    if (this.#lines.length > 0) {
      const text = `${this.#lines.join('\n')}\n`
      this.#lines = []
      try {
        writeWhole(this.#file, Buffer.from(text))
      } catch (cause) {
        this.#failure = fileFailed('the ledger', cause)
      }
    }
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Writes the rest and the line that says that nothing is missing. */
  close(): void {
    if (this.#closed) return
    this.#write(['end'])
    this.flush()
    this.#closed = true
    closeSync(this.#file)
  }

  #pendingOf(series: SeriesLedger): PendingSeries {
    let pending = this.#pending.get(series)
    if (pending === undefined) {
      pending = { sentFrom: -1, sent: [], ackedFrom: 0, ackedTo: -2 }
      this.#pending.set(series, pending)
    }
    return pending
  }

  #foldSent(series: SeriesLedger, pending: PendingSeries): void {
    if (pending.sent.length > 0) this.#write(['sent', series.id, pending.sentFrom, pending.sent])
    pending.sent = []
  }

  /** Sends before acks: a reader must never meet an ack of something it has not heard of. */
  #foldAcked(series: SeriesLedger, pending: PendingSeries): void {
    this.#foldSent(series, pending)
    if (pending.ackedTo >= pending.ackedFrom) this.#write(['acked', series.id, pending.ackedFrom, pending.ackedTo])
    pending.ackedFrom = 0
    pending.ackedTo = -2
  }

  #write(line: JournalLine): void {
    if (this.#failure !== undefined) throw this.#failure
    if (this.#closed)
      throw new OperatorError('LEDGER_CLOSED', 'the ledger is closed: nothing more can be recorded in it')
    this.#lines.push(JSON.stringify(line))
    this.#schedule()
  }

  #entryAdded(): void {
    if (this.#failure !== undefined) throw this.#failure
    if (++this.#pendingEntries >= MOST_PENDING) this.flush()
    else this.#schedule()
  }

  #schedule(): void {
    this.#cancelFlush ??= this.#clock.after(this.#flushEvery, () => {
      this.#cancelFlush = undefined
      try {
        this.flush()
      } catch (error) {
        // Nobody is listening to a timer: the next entry, or close(), reports it.
        this.#failure ??= fileFailed('the ledger', error)
      }
    })
  }
}

function writeWhole(file: number, bytes: Buffer): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done)
}

function fileFailed(path: string, cause: unknown): OperatorError {
  return new OperatorError('LEDGER_FILE_FAILED', `cannot write ${path}: choose a new file with room for it`, { cause })
}
