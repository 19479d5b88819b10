import { setImmediate as breathe } from 'node:timers/promises'
import {
  JetStreamApiCodes,
  JetStreamApiError,
  jetstream,
  jetstreamManager,
  type OrderedConsumerOptions,
} from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type Bytes, type Millis, RetryableError, type StreamSequence } from '../../sync/contract/index.ts'
import { type Clock, pause, systemClock } from '../../sync/runtime/index.ts'

/** One message of a central stream, as stored. */
export interface CentralMessage {
  subject: string
  sequence: StreamSequence
  /** Value of a header; empty when it is not there. */
  header(name: string): string
  body: Uint8Array
}

export interface CentralStreamState {
  /** RFC 3339; another value means that this is another stream under the same name. */
  created: string
  firstSequence: StreamSequence
  /** Highest sequence the stream ever gave out. */
  lastSequence: StreamSequence
  messages: number
  bytes: Bytes
}

/** Read access to the central streams: all that the audit needs of them. */
export interface Central {
  /**
   * null when there is no such stream
   *
   * @throws RetryableError `CENTRAL_READ_STALLED`
   */
  state(stream: string): Promise<CentralStreamState | null>
  /**
   * The messages from sequence `from` up to what the stream holds when this is called, in stream order.
   *
   * @throws RetryableError `CENTRAL_READ_STALLED`
   */
  read(stream: string, from: StreamSequence, signal?: AbortSignal): AsyncIterable<CentralMessage>
}

/**
 * Messages that have arrived already are handed out without the event loop turning in between. Whoever takes milliseconds for
 * each would not read the socket for many seconds, and be cut off by the server as a slow consumer.
 */
const BREATHE_EVERY: Millis = 20

export interface NatsCentralOptions {
  clock?: Clock
  /** Give up when nothing comes for this long. */
  stallAfter?: Millis
  /** Bytes asked for ahead of what was read; 32 MiB by default. */
  readAhead?: Bytes
}

/** The central streams behind a NATS connection, which stays the caller's. */
export function natsCentral(connection: NatsConnection, options: NatsCentralOptions = {}): Central {
  const { clock = systemClock, stallAfter = 5_000, readAhead = 32 * 1024 * 1024 } = options
  const stateOnce = async (stream: string): Promise<CentralStreamState | null> => {
    try {
      const manager = await jetstreamManager(connection, { checkAPI: false, timeout: stallAfter })
      const info = await manager.streams.info(stream)
      const { first_seq, last_seq, messages, bytes } = info.state
      return { created: info.created, firstSequence: first_seq, lastSequence: last_seq, messages, bytes }
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null
      if (connection.isClosed()) throw error
      throw new RetryableError('CENTRAL_READ_STALLED', `the centre does not say how stream ${stream} is`, {
        cause: error,
      })
    }
  }
  /** One consumer's worth: up to what the stream held when it began, or until nothing more comes. */
  async function* readOnce(
    stream: string,
    from: StreamSequence,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<CentralMessage> {
    const now = await stateOnce(stream)
    if (now === null || now.messages === 0 || now.lastSequence < from) return
    const ordered: Partial<OrderedConsumerOptions> = {
      opt_start_seq: Math.max(from, now.firstSequence),
      // Nanoseconds. The consumer is left for the server to drop: asking it to would hang on a dead connection.
      inactive_threshold: 30e9,
    }
    const consumer = await jetstream(connection).consumers.get(stream, ordered)
    const average = now.bytes / now.messages
    const messages = await consumer.consume({
      max_messages: Math.round(Math.min(5_000, Math.max(1, readAhead / average))),
    })
    const iterator = messages[Symbol.asyncIterator]()
    try {
      for (let breath = clock.monotonic(); ; ) {
        if (clock.monotonic() - breath > BREATHE_EVERY) {
          await breathe()
          breath = clock.monotonic()
        }
        const next = await orStalled(iterator.next(), stream, stallAfter, clock, signal)
        if (next.done === true) return
        const message = next.value
        yield {
          subject: message.subject,
          sequence: message.seq,
          header: (name) => message.headers?.get(name) ?? '',
          body: message.data,
        }
        if (message.info.pending === 0 || message.seq >= now.lastSequence) return
      }
    } finally {
      // stop() alone only asks the iterator to end, and close() waits for it: somebody has to run it.
      messages.stop()
      await iterator.return?.()
    }
  }
  return {
    async state(stream) {
      for (let attempt = 1; ; attempt++) {
        try {
          return await stateOnce(stream)
        } catch (error) {
          if (!(error instanceof RetryableError) || attempt >= ATTEMPTS) throw error
          await pause(clock, BETWEEN_ATTEMPTS)
        }
      }
    },
    async *read(stream, from, signal) {
      let next = from
      for (let attempt = 1; ; attempt++) {
        try {
          for await (const message of readOnce(stream, next, signal)) {
            next = message.sequence + 1
            yield message
          }
          return
        } catch (error) {
          // A consumer whose server has just changed may stay silent; another one goes on where it stopped.
          if (!(error instanceof RetryableError) || attempt >= ATTEMPTS) throw error
          await pause(clock, BETWEEN_ATTEMPTS, signal)
        }
      }
    },
  }
}

/** A stream whose leader is gone has none for some seconds, and says nothing meanwhile. */
const ATTEMPTS = 4
const BETWEEN_ATTEMPTS: Millis = 500

/** A promise that a lost connection or an empty stream cannot keep open for ever. */
function orStalled<T>(
  promise: Promise<T>,
  stream: string,
  after: Millis,
  clock: Clock,
  signal: AbortSignal | undefined,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const aborted = (): void => settle(() => reject(signal?.reason))
    const cancel = clock.after(after, () =>
      settle(() =>
        reject(
          new RetryableError(
            'CENTRAL_READ_STALLED',
            `no message of ${stream} came for ${after} ms although there must be more: is the connection to the centre alive?`,
          ),
        ),
      ),
    )
    const settle = (outcome: () => void): void => {
      cancel()
      signal?.removeEventListener('abort', aborted)
      outcome()
    }
    if (signal?.aborted) return aborted()
    signal?.addEventListener('abort', aborted)
    promise.then(
      (value) => settle(() => resolve(value)),
      (error: unknown) => settle(() => reject(error)),
    )
  })
}
