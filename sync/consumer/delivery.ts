import { DeadLetterError, type Lane, type Offset, OperatorError, STREAMS } from '../contract/index.ts'
import { type AttemptTools, attempt, insist, type Outcome } from './attempt.ts'
import { type Batch, decodeBatch, type StoredMessage } from './batch.ts'
import { BoundedMap } from './bounded-map.ts'
import type { KeepDeadLetter } from './dead-letter.ts'
import type { Missed } from './missed.ts'
import { checkPosition, type Finding, follows, type Position } from './position-check.ts'
import type { PositionStore } from './positions.ts'
import { decodeRecord, type RecordContext, type RecordOf } from './records.ts'
import type { Report } from './report.ts'

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

/** A message that cannot be read. */
interface Unreadable {
  error: DeadLetterError
}

/**
 * Hands out the records of messages, one after the other, and keeps the book of what is done. Messages of one subject must
 * come one at a time; those of different subjects may come side by side.
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

  /**
   * Delivers one message, and before it those of its subject that got lost on their way.
   *
   * @returns false when the consumer stops before all of it is done: it must come again
   * @throws OperatorError of the handler or the position store
   */
  async deliver(message: StoredMessage, redelivered: boolean): Promise<boolean> {
    const { lane, missed, tools } = this.#parts
    const content = await read(lane, message)
    if (!(await this.#follows(content))) {
      for (let more = true; more; ) {
        let earlier: StoredMessage | null = null
        const look = async (): Promise<void> => {
          earlier = await missed.firstBefore(message.subject, message.sequence)
        }
        if (!(await insist(look, tools, this.#trouble('cannot look for lost messages')))) return false
        const found = earlier as StoredMessage | null
        more = found !== null
        if (found && !(await this.#process(found, await read(lane, found), true))) return false
        if (found) missed.done(found.subject, found.sequence)
      }
      // Only now is it sure that nothing before it is missing, whatever the message itself is.
      if (!(await this.#process(message, content, redelivered))) return false
      missed.done(message.subject, message.sequence)
      return true
    }
    const batch = content as Batch
    const repeated = batch.to <= (this.#known.get(batch.origin)?.last ?? -1)
    if (!(await this.#process(message, content, redelivered))) return false
    // A repeat proves nothing about what lies between it and the end of what is done.
    if (!repeated) missed.done(message.subject, message.sequence)
    return true
  }
}
