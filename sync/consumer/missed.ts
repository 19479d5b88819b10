import type { JetStreamManager } from '@nats-io/jetstream'
import type { StreamSequence } from '../contract/index.ts'
import { type StoredMessage, storedMessage } from './batch.ts'
import { BoundedMap } from './bounded-map.ts'

const REMEMBERED_SUBJECTS = 50_000

/**
 * Finds messages that were handed out but never arrived (a connection that broke, a process that died). JetStream hands them
 * out again only when their time for acknowledging is over, long after their successors: processing in order of
 * arrival would take the latecomers for repeats and lose them. So before a message that does not follow what is
 * done, the stream itself is asked what lies between.
 */
export class Missed {
  readonly #manager: JetStreamManager
  readonly #stream: string
  /** The newest message of each subject up to which all of the subject's messages are done. */
  readonly #done = new BoundedMap<StreamSequence>(REMEMBERED_SUBJECTS)
  /** Everything up to here was acknowledged when the durable was bound. */
  #floor: StreamSequence = 0
  #highest: StreamSequence = 0
  #created = ''

  constructor(manager: JetStreamManager, stream: string) {
    this.#manager = manager
    this.#stream = stream
  }

  /** The durable was looked up; sequences of another one, or of a later state of this one, mean nothing any more. */
  bound(durable: { created: string; floor: StreamSequence; delivered: StreamSequence }): void {
    if (durable.created !== this.#created || durable.delivered < this.#highest) {
      this.#done.clear()
      this.#highest = 0
    }
    this.#created = durable.created
    this.#floor = durable.floor
  }

  /** All messages of the subject up to this one are done. */
  done(subject: string, sequence: StreamSequence): void {
    this.#highest = Math.max(this.#highest, sequence)
    if (sequence > (this.#done.get(subject) ?? 0)) this.#done.set(subject, sequence)
  }

  /** The first message of the subject before this one that is not done; null when there is none. */
  async firstBefore(subject: string, sequence: StreamSequence): Promise<StoredMessage | null> {
    const from = (this.#done.get(subject) ?? this.#floor) + 1
    if (from >= sequence) return null
    // Not the direct API: a replica that lags would say that there is nothing. The stream's leader knows.
    const query = { next_by_subj: subject, seq: from }
    const found = await this.#manager.streams.getMessage(this.#stream, query)
    return found === null || found.seq >= sequence ? null : storedMessage(found, found.seq, () => found.header)
  }
}
