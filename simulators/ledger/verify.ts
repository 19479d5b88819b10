import { type Millis, STREAMS, type StreamSequence } from '../../sync/contract/index.ts'
import { type Clock, pause, systemClock } from '../../sync/runtime/index.ts'
import { Audit, type AuditOptions } from './audit.ts'
import type { Central } from './central.ts'
import type { Ledger } from './ledger.ts'
import type { Verdict } from './verdict.ts'

export interface VerifyProgress {
  messages: number
  records: number
}

export interface VerifyOptions extends AuditOptions {
  /** Begin at this sequence of the stream of readings (and `fromDeadLetters` of the other): what is older is not looked at. */
  from?: StreamSequence
  fromDeadLetters?: StreamSequence
  /**
   * While something acknowledged is still missing, keep reading until nothing new has come for this long. 0 by default:
   * judge what is there now.
   */
  settle?: Millis
  onProgress?: (progress: VerifyProgress) => void
  signal?: AbortSignal
  clock?: Clock
  streams?: { readings: string; deadletters: string }
}

const POLL: Millis = 100
const PROGRESS_EVERY = 64

/**
 * Checks the central streams against the ledger (promises I2, I3, I4, I7): what was acknowledged and is not there, what is
 * there twice, in the wrong order, or was never sent.
 *
 * The gateways should be quiet (nothing buffered) or `settle` be given; readings that are still on their way count as lost.
 */
export async function verify(ledger: Ledger, central: Central, options: VerifyOptions = {}): Promise<Verdict> {
  const { clock = systemClock, settle = 0, signal } = options
  let reader = new StreamReader(ledger, central, options)
  let lastNews = clock.monotonic()
  for (;;) {
    signal?.throwIfAborted()
    const news = await reader.advance()
    if (news === 'stream replaced') {
      reader = new StreamReader(ledger, central, options)
      continue
    }
    if (news === 'more') lastNews = clock.monotonic()
    const verdict = reader.audit.verdict()
    if (verdict.total.lost === 0 || clock.monotonic() - lastNews >= settle) return verdict
    await pause(clock, POLL, signal)
  }
}

interface StreamCursor {
  name: string
  next: StreamSequence
  created?: string
}

/** Feeds an audit with whatever both streams hold, and again with what came later. */
class StreamReader {
  readonly audit: Audit
  readonly #central: Central
  readonly #options: VerifyOptions
  readonly #progress: VerifyProgress = { messages: 0, records: 0 }
  readonly #readings: StreamCursor
  readonly #deadLetters: StreamCursor

  constructor(ledger: Ledger, central: Central, options: VerifyOptions) {
    this.audit = new Audit(ledger, options)
    this.#central = central
    this.#options = options
    const names = options.streams ?? STREAMS
    this.#readings = { name: names.readings, next: options.from ?? 1 }
    this.#deadLetters = { name: names.deadletters, next: options.fromDeadLetters ?? 1 }
  }

  async advance(): Promise<'more' | 'nothing new' | 'stream replaced'> {
    const before = this.#progress.messages
    for (const [cursor, take] of [
      [this.#readings, this.audit.readings.bind(this.audit)],
      [this.#deadLetters, this.audit.deadLetters.bind(this.audit)],
    ] as const) {
      const state = await this.#central.state(cursor.name)
      if (cursor.created !== undefined && state?.created !== cursor.created) return 'stream replaced'
      if (state === null) continue
      cursor.created = state.created
      if (state.lastSequence + 1 < cursor.next) return 'stream replaced'
      for await (const message of this.#central.read(cursor.name, cursor.next, this.#options.signal)) {
        this.#progress.records += take(message)
        cursor.next = message.sequence + 1
        if (++this.#progress.messages % PROGRESS_EVERY === 0) this.#options.onProgress?.({ ...this.#progress })
      }
    }
    this.#options.onProgress?.({ ...this.#progress })
    return this.#progress.messages > before ? 'more' : 'nothing new'
  }
}
