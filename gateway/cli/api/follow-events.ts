import { describeError, type Millis, type ThresholdEvent } from '../../../sync/contract/index.ts'
import { type Clock, pause } from '../../../sync/runtime/index.ts'
import type { ApiClient, ApiQuery } from './client.ts'
import { EventStreamParser } from './server-sent-events.ts'

export interface FollowOptions {
  client: ApiClient
  /** Which events, see `GET /events`. */
  query: ApiQuery
  clock: Clock
  signal: AbortSignal
  onEvent(event: ThresholdEvent): void
  /** Something about the stream that is no event: lost, back, events that are gone. */
  onMark(text: string): void
}

const AGAIN_AFTER: Millis = 1000
/** The gateway says something every 15 seconds. */
const SILENT_FOR: Millis = 45_000

/**
 * Follows the events of a gateway until `signal` aborts. A connection that is lost is made again, and goes on behind the last event.
 *
 * @throws OperatorError as `ApiClient.open` when there is no gateway at the beginning
 */
export async function followEvents(options: FollowOptions): Promise<void> {
  const { clock, signal, onMark } = options
  let lastId: string | null = null
  let trouble: string | null = null
  let first = true
  while (!signal.aborted) {
    let failed: string
    try {
      const connection = new Connection(options, lastId)
      const pieces = await connection.open()
      if (trouble !== null) onMark('connected again')
      trouble = null
      first = false
      failed = await connection.read(pieces, (id) => {
        lastId = id
      })
    } catch (error) {
      if (first) throw error
      failed = describeError(error)
    }
    if (signal.aborted) return
    if (failed !== trouble) onMark(`${failed}; trying again`)
    trouble = failed
    await pause(clock, AGAIN_AFTER, signal)
  }
}

/** One connection, from its beginning to its end. */
class Connection {
  readonly #options: FollowOptions
  readonly #lastId: string | null
  readonly #silence = new AbortController()

  constructor(options: FollowOptions, lastId: string | null) {
    this.#options = options
    this.#lastId = lastId
  }

  open(): Promise<AsyncIterable<Uint8Array>> {
    const { client, query, signal } = this.#options
    const headers: Record<string, string> = this.#lastId === null ? {} : { 'last-event-id': this.#lastId }
    return client.open({ path: '/events', query, headers }, AbortSignal.any([signal, this.#silence.signal]))
  }

  /** Reads until the connection is over; returns why. */
  async read(pieces: AsyncIterable<Uint8Array>, at: (id: string) => void): Promise<string> {
    const { clock, onEvent, onMark } = this.#options
    const parser = new EventStreamParser()
    const decoder = new TextDecoder()
    const watch = (): (() => void) => clock.after(SILENT_FOR, () => this.#silence.abort())
    let cancel = watch()
    try {
      for await (const piece of pieces) {
        cancel()
        cancel = watch()
        for (const { event, data } of parser.push(decoder.decode(piece, { stream: true }))) {
          if (event === 'threshold') onEvent(JSON.parse(data) as ThresholdEvent)
          else if (event === 'gap') onMark(gapText(data))
        }
        if (parser.lastId !== null) at(parser.lastId)
      }
      return 'the gateway ended the connection'
    } catch (error) {
      return this.#silence.signal.aborted
        ? 'the gateway has gone silent'
        : `the connection was lost: ${describeError(error)}`
    } finally {
      cancel()
    }
  }
}

function gapText(data: string): string {
  const { from, to } = JSON.parse(data) as { from: number; to: number }
  return `events ${from}-${to} are gone: the gateway does not keep them any more`
}
