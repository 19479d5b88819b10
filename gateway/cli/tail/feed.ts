import { JetStreamApiCodes, JetStreamApiError, jetstream, jetstreamManager } from '@nats-io/jetstream'
import type { NatsConnection } from '@nats-io/transport-node'
import { type StoredMessage, storedMessage } from '../../../sync/consumer/index.ts'
import { describeError, type Lane, type Millis, STREAMS, type StreamSequence } from '../../../sync/contract/index.ts'
import { connectNats, type NatsSettings } from '../../../sync/link/index.ts'
import { type Clock, pause } from '../../../sync/runtime/index.ts'

/** Something that happened to the feed itself. */
export interface Interruption {
  kind: 'waiting' | 'lost' | 'back' | 'replaced'
  text: string
}

export interface FeedOptions {
  settings: NatsSettings
  /** What to follow; the subject may have wildcards. */
  sources: ReadonlyArray<{ lane: Lane; subject: string }>
  /** Begin with what was stored since then (Unix milliseconds); null = with what comes from now on. */
  since: Millis | null
  signal: AbortSignal
  clock: Clock
  /** One message after the other of each stream; the next one waits. */
  onMessage(lane: Lane, message: StoredMessage): Promise<void>
  onInterruption(interruption: Interruption): void
}

const REDIAL_AFTER: Millis = 500
const LOOK_AGAIN: Millis = 500
/** Messages asked for ahead; each may be as large as the server allows. */
const READ_AHEAD = 16
const REQUEST_TIMEOUT: Millis = 5_000
/** A stream that says nothing, not even this, for twice as long is looked at again. */
const HEARTBEAT: Millis = 5_000

/** Where the reading of one stream goes on. */
interface Cursor {
  next: { sequence: StreamSequence } | { time: Millis } | null
  /** Creation time of the stream that `next` belongs to; null before there was one. */
  created: string | null
}

/**
 * Follows streams in order, without acknowledging anything and without leaving anything behind, until `signal` aborts. A
 * connection that is lost is dialled again, and reading goes on behind the last message.
 */
export async function follow(options: FeedOptions): Promise<void> {
  const { settings, sources, since, signal, clock, onInterruption } = options
  const cursors = sources.map((): Cursor => ({ next: since === null ? null : { time: since }, created: null }))
  let trouble: string | null = null
  while (!signal.aborted) {
    let failed: string
    try {
      const connection = await connectNats(settings, signal)
      if (trouble !== null) onInterruption({ kind: 'back', text: 'connected again' })
      trouble = null
      failed = await followAll(connection, cursors, options)
    } catch (error) {
      failed = describeError(error)
    }
    if (signal.aborted) return
    if (failed !== trouble) onInterruption({ kind: 'lost', text: `${failed}; trying again` })
    trouble = failed
    await pause(clock, REDIAL_AFTER, signal)
  }
}

/** Follows all streams until the connection is over, or one of them cannot be followed on it; returns why. */
async function followAll(
  connection: NatsConnection,
  cursors: readonly Cursor[],
  options: FeedOptions,
): Promise<string> {
  const { sources, signal } = options
  const end = (): void => void connection.close()
  signal.addEventListener('abort', end)
  if (signal.aborted) end()
  let reason: string | null = null
  const following = sources.map(async (source, i) => {
    try {
      await followOne(connection, source, cursors[i] ?? { next: null, created: null }, options)
    } catch (error) {
      reason ??= describeError(error)
    }
    end()
  })
  await Promise.all(following)
  signal.removeEventListener('abort', end)
  await connection.close()
  return reason ?? 'the connection was lost'
}

/** Follows one stream until the connection is over. */
async function followOne(
  connection: NatsConnection,
  { lane, subject }: FeedOptions['sources'][number],
  cursor: Cursor,
  { signal, clock, onMessage, onInterruption }: FeedOptions,
): Promise<void> {
  const manager = await jetstreamManager(connection, { checkAPI: false, timeout: REQUEST_TIMEOUT })
  const name = STREAMS[lane]
  let info = await streamInfo(manager, name)
  if (info === null) onInterruption({ kind: 'waiting', text: `stream ${name} does not exist yet; waiting for it` })
  while (info === null) {
    await pause(clock, LOOK_AGAIN, signal)
    if (signal.aborted || connection.isClosed()) return
    info = await streamInfo(manager, name)
    // Whatever is in a stream that was not there a moment ago is news.
    if (info !== null) cursor.next ??= { sequence: 1 }
  }
  const last = info.state.last_seq
  if (cursor.created !== null && info.created !== cursor.created) {
    onInterruption({ kind: 'replaced', text: `stream ${name} was made anew` })
    cursor.next = { sequence: 1 }
  } else if (cursor.next !== null && 'sequence' in cursor.next && cursor.next.sequence > last + 1) {
    onInterruption({ kind: 'replaced', text: `stream ${name} went back to message ${last}` })
    cursor.next = { sequence: last + 1 }
  }
  cursor.created = info.created
  cursor.next ??= { sequence: last + 1 }
  const consumer = await jetstream(connection, { timeout: REQUEST_TIMEOUT }).consumers.get(name, {
    filter_subjects: subject,
    ...('time' in cursor.next
      ? { opt_start_time: new Date(cursor.next.time).toISOString() }
      : { opt_start_seq: cursor.next.sequence }),
  })
  const messages = await consumer.consume({
    max_messages: READ_AHEAD,
    idle_heartbeat: HEARTBEAT,
    // The client would go on at the old sequence, also in a stream that was made anew: look at the stream instead.
    abort_on_missing_resource: true,
  })
  const end = (): void => void messages.close()
  signal.addEventListener('abort', end)
  try {
    for await (const message of messages) {
      if (signal.aborted) return
      await onMessage(
        lane,
        storedMessage(message, message.seq, () => message.headers),
      )
      cursor.next = { sequence: message.seq + 1 }
    }
  } finally {
    signal.removeEventListener('abort', end)
    await messages.close()
  }
}

async function streamInfo(manager: Awaited<ReturnType<typeof jetstreamManager>>, name: string) {
  try {
    return await manager.streams.info(name)
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound) return null
    throw error
  }
}
