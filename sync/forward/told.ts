import { HEADERS, type Millis, type Offset, type StreamSequence, type ThresholdEvent } from '../contract/index.ts'
import { type CentralSession, type ChainHead, previousOf } from '../link/index.ts'
import { ceTime, ceType } from './event-message.ts'

/** What a message of an alarm's chain tells, as far as its headers say it. */
export interface Told {
  sequence: StreamSequence
  /** The message before it on the chain; null when that is not known. */
  previous: StreamSequence | null
  /** Which series of transitions it belongs to. */
  since: Millis
  transition: number
  /** CloudEvents `type` and `time`, as they are written. */
  type: string
  time: string
  /** The store that it came from, and its place there. */
  epoch: string
  offset: Offset
}

export function toldBy(message: ChainHead): Told {
  const header = (name: string): string => message.headers.get(name) ?? ''
  return {
    sequence: message.sequence,
    previous: previousOf(message),
    since: Number(header(HEADERS.since)),
    transition: Number(header(HEADERS.transition)),
    type: header('ce-type'),
    time: header('ce-time'),
    epoch: header(HEADERS.epoch),
    offset: Number(header(HEADERS.from)),
  }
}

/** Whether the message tells this very event, whoever decided it. */
export const tells = (told: Told, event: ThresholdEvent): boolean =>
  told.type === ceType(event) && told.time === ceTime(event)

/** The end of one alarm's chain, from which older messages are read backwards, each once. */
export class Trail {
  readonly end: Told
  readonly #read: (sequence: StreamSequence) => Promise<ChainHead | null>
  #oldest: Told
  readonly #known = new Map<number, Told>()

  constructor(session: CentralSession, stream: string, subject: string, end: Told, timeout: Millis) {
    this.#read = (sequence) => session.nextFrom(stream, subject, sequence, timeout)
    this.end = end
    this.#oldest = end
    this.#known.set(end.transition, end)
  }

  /** The message of this transition in the series that the chain ends with; null when it is not there any more. */
  async find(transition: number): Promise<Told | null> {
    while (this.#oldest.transition > transition && this.#oldest.previous) {
      const { previous, since } = this.#oldest
      const message = await this.#read(previous)
      // Retention took it, or before it there was another series.
      if (message?.sequence !== previous) break
      const told = toldBy(message)
      if (told.since !== since) break
      this.#oldest = told
      this.#known.set(told.transition, told)
    }
    return this.#known.get(transition) ?? null
  }
}
