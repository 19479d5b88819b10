import type { JetStreamManager } from '@nats-io/jetstream'
import type { StreamSequence } from '../contract/index.ts'
import { previousOf } from '../link/index.ts'
import { type StoredMessage, storedMessage } from './batch.ts'
import { BoundedMap } from './bounded-map.ts'

const REMEMBERED_SUBJECTS = 50_000

/** The first message on the subject with a sequence of at least `from`; null when there is none. */
export type NextOf = (subject: string, from: StreamSequence) => Promise<StoredMessage | null>

/**
 * Finds messages that were handed out but never arrived (a connection that broke, a process that died). JetStream hands them
 * out again only when their time for acknowledging is over, long after their successors: processing in order of
 * arrival would take the latecomers for repeats and lose them. So before a message that does not follow what is
 * done, the stream itself is asked what lies between.
 */
export class Missed {
  readonly #nextOf: NextOf
  /** The newest message of each subject up to which all of the subject's messages are done. */
  readonly #done = new BoundedMap<StreamSequence>(REMEMBERED_SUBJECTS)
  /** Everything up to here was acknowledged when the durable was bound. */
  #floor: StreamSequence = 0
  #highest: StreamSequence = 0
  #created = ''

  constructor(nextOf: NextOf) {
    this.#nextOf = nextOf
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
    if (sequence > this.#doneUpTo(subject)) this.#done.set(subject, sequence)
  }

  /** Whether it is certain without asking that nothing of the subject before this message is missing. */
  follows(message: StoredMessage): boolean {
    const upTo = this.#doneUpTo(message.subject)
    const previous = previousOf(message)
    return message.sequence <= upTo + 1 || (previous !== null && previous <= upTo)
  }

  /** The first message of the subject before this one that is not done; null when there is none. */
  async firstBefore({ subject, sequence }: StoredMessage): Promise<StoredMessage | null> {
    const found = await this.#nextOf(subject, this.#doneUpTo(subject) + 1)
    return found === null || found.sequence >= sequence ? null : found
  }

  #doneUpTo(subject: string): StreamSequence {
    return Math.max(this.#floor, this.#done.get(subject) ?? 0)
  }
}

/** Reads from the stream's leader: a replica of the direct API that lags would say that there is nothing. */
export function nextOnLeader(manager: JetStreamManager, stream: string): NextOf {
  return async (subject, from) => {
    const query = { next_by_subj: subject, seq: from }
    const found = await manager.streams.getMessage(stream, query)
    return found && storedMessage(found, found.seq, () => found.header)
  }
}
