import { DeadLetterError, type Lane, type Offset } from '../contract/index.ts'
import { type AttemptTools, attempt, insist } from './attempt.ts'
import { type Batch, decodeBatch, type StoredMessage } from './batch.ts'
import { BoundedMap } from './bounded-map.ts'
import type { ConsumerDeadLetter, KeepDeadLetter } from './dead-letter.ts'
import type { Missed } from './missed.ts'
import { checkPosition, type Finding, type Position } from './position-check.ts'
import type { PositionStore } from './positions.ts'
import { decodeRecord, type RecordContext, type RecordOf, type RecordPosition } from './records.ts'
import type { Report } from './report.ts'

/** What the application does with one record; see `attempt` for what its errors mean. */
export type Handler<L extends Lane> = (record: RecordOf[L], context: RecordContext) => Promise<void> | void

export interface DeliveryParts<L extends Lane> {
  lane: L
  handler: Handler<L>
  positions: PositionStore
  /** The position is saved after this many records, and at the end of each message. */
  saveEvery: number
  keepDeadLetter: KeepDeadLetter
  missed: Missed
  tools: AttemptTools
  report(report: Report): void
}

const REMEMBERED_ORIGINS = 20_000

/**
 * Hands out the records of messages one by one and keeps the book of what is done. Messages of one subject must come one at
 * a time; those of different subjects may come side by side.
 *
 * All methods return false when the consumer stops before they are done (then the message must come again), and reject
 * with the OperatorError of a handler or position store.
 */
export class Delivery<L extends Lane> {
  readonly #parts: DeliveryParts<L>
  /** How far each origin is done; one that is not here may be in the position store. */
  readonly #known = new BoundedMap<Position>(REMEMBERED_ORIGINS)
  /** The origin of the newest batch of each subject. */
  readonly #current = new BoundedMap<string>(REMEMBERED_ORIGINS)

  constructor(parts: DeliveryParts<L>) {
    this.#parts = parts
  }

  /** Delivers one message, and before it those of its subject that got lost on their way. */
  async deliver(message: StoredMessage, redelivered: boolean): Promise<boolean> {
    const { missed } = this.#parts
    while (!missed.follows(message)) {
      const found = await this.#insist('cannot look for messages that got lost on their way', () =>
        missed.firstBefore(message),
      )
      if (found === null) return false
      if (found.value === null) break
      if (!(await this.#process(found.value, true))) return false
    }
    return await this.#process(message, redelivered)
  }

  /** One message, when everything of its subject before it is done. */
  async #process(message: StoredMessage, redelivered: boolean): Promise<boolean> {
    const { lane, missed } = this.#parts
    const content = await read(lane, message)
    let done = true
    if (content instanceof DeadLetterError)
      done = await this.#putAside(message, null, { code: content.code, reason: content.message, attempts: 0 })
    else if (content !== null) done = await this.#processBatch(message, content, redelivered)
    if (done) missed.done(message.subject, message.sequence)
    return done
  }

  async #processBatch(message: StoredMessage, batch: Batch, redelivered: boolean): Promise<boolean> {
    const loaded = await this.#position(batch.origin)
    if (loaded === null) return false
    const verdict = checkPosition(loaded.value, batch, redelivered)
    this.#tell(message, batch, loaded.value === null, verdict.findings, redelivered)
    const done = await this.#handOut(message, batch, verdict.after, redelivered)
    if (done) this.#known.set(batch.origin, verdict.next)
    return done
  }

  /** Hands out the records behind `after`. */
  async #handOut(message: StoredMessage, batch: Batch, after: Offset, redelivered: boolean): Promise<boolean> {
    const { positions, saveEvery, tools } = this.#parts
    const { origin, offsets, lines, to } = batch
    const save = async (offset: Offset): Promise<boolean> =>
      (await this.#insist('cannot save the position', () => positions.save(origin, offset))) !== null
    let done = after
    let saved = after
    for (let i = 0; i < lines.length; i++) {
      const offset = offsets[i] ?? 0
      if (offset <= after) continue
      const outcome = tools.signal.aborted
        ? 'stopped'
        : await this.#handOutOne(message, batch, { origin, offset }, lines[i] ?? '', redelivered)
      if (outcome === 'stopped') {
        if (done > saved) await save(done)
        return false
      }
      done = offset
      if (positions.transactional && outcome === 'handled') saved = offset
      else if (positions.transactional || done - saved >= saveEvery) {
        if (!(await save(offset))) return false
        saved = offset
      }
    }
    return saved >= to || (await save(to))
  }

  async #handOutOne(
    message: StoredMessage,
    batch: Batch,
    position: RecordPosition,
    line: string,
    redelivered: boolean,
  ): Promise<'handled' | 'dead' | 'stopped'> {
    const { lane, handler, tools, report } = this.#parts
    const record = { position, line, batch }
    let decoded: RecordOf[L]
    try {
      decoded = decodeRecord[lane](line, batch)
    } catch (error) {
      if (!(error instanceof DeadLetterError)) throw error
      const why = { code: error.code, reason: error.message, attempts: 0 }
      return (await this.#putAside(message, record, why)) ? 'dead' : 'stopped'
    }
    const { site, gateway } = batch
    const { subject, sequence } = message
    const { signal } = tools
    const outcome = await attempt(
      (n) => handler(decoded, { position, site, gateway, subject, sequence, attempt: n, redelivered, line, signal }),
      tools,
      (n, delay, error) => report({ kind: 'retry', position, attempt: n, delay, error }),
    )
    if (outcome.kind === 'stopped') return 'stopped'
    if (outcome.kind === 'done') return 'handled'
    return (await this.#putAside(message, record, outcome)) ? 'dead' : 'stopped'
  }

  async #putAside(
    message: StoredMessage,
    record: ConsumerDeadLetter['record'],
    why: Pick<ConsumerDeadLetter, 'code' | 'reason' | 'attempts'>,
  ): Promise<boolean> {
    const { lane, keepDeadLetter, report } = this.#parts
    const { code, reason, attempts } = why
    const letter = { lane, message, record, code, reason, attempts }
    if ((await this.#insist('cannot keep a dead letter', () => keepDeadLetter(letter))) === null) return false
    const { subject, sequence } = message
    report({ kind: 'deadletter', position: record?.position ?? null, subject, sequence, code, reason })
    return true
  }

  async #position(origin: string): Promise<{ value: Position | null } | null> {
    const known = this.#known.get(origin)
    if (known) return { value: known }
    const loaded = await this.#insist('cannot load the position', () => this.#parts.positions.load(origin))
    if (loaded === null) return null
    const last = loaded.value
    return { value: last === null ? null : { last, term: 0, lineage: null, restored: true } }
  }

  #tell(
    { subject, sequence }: StoredMessage,
    { origin, from }: Batch,
    fresh: boolean,
    findings: readonly Finding[],
    redelivered: boolean,
  ): void {
    const { report } = this.#parts
    const before = this.#current.get(subject)
    // Several origins may take turns on a subject: what is left of an old one is forwarded by another gateway.
    if (fresh && before !== undefined && before !== origin)
      report({ kind: 'epoch', subject, sequence, before, origin, from })
    this.#current.set(subject, origin)
    for (const finding of findings) report({ ...finding, origin, subject, sequence, redelivered })
  }

  #insist<T>(what: string, task: () => Promise<T> | T): Promise<{ value: T } | null> {
    const { tools, report } = this.#parts
    return insist(task, tools, (error) => report({ kind: 'trouble', what, error }))
  }
}

async function read(lane: Lane, message: StoredMessage): Promise<Batch | DeadLetterError | null> {
  try {
    return await decodeBatch(lane, message)
  } catch (error) {
    if (error instanceof DeadLetterError) return error
    throw error
  }
}
