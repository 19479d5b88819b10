import { jetstreamManager } from '@nats-io/jetstream'
import { decodeBatch } from '../../../sync/consumer/index.ts'
import {
  DeadLetterError,
  type Millis,
  OperatorError,
  RetryableError,
  STREAMS,
  type StreamSequence,
} from '../../../sync/contract/index.ts'
import { connectNats, type NatsSettings } from '../../../sync/link/index.ts'
import type { Clock } from '../../../sync/runtime/index.ts'
import { centralSubject } from '../centre.ts'
import { follow } from '../tail/index.ts'
import { Handover } from './handover.ts'
import { type RecordedBatch, type Recording, sourceOf } from './recording.ts'

/** Which part of the central stream. */
export interface CentralRange {
  settings: NatsSettings
  /** undefined: all of them */
  site: string | undefined
  gateway: string | undefined
  /** What was stored since then (Unix milliseconds); null = everything that is there. */
  since: Millis | null
  clock: Clock
  signal: AbortSignal
  /** Told when the connection was lost and is back. */
  said(text: string): void
}

const REQUEST_TIMEOUT: Millis = 5_000

/**
 * Readings of the central stream, up to what it held at the beginning. A connection that is lost is dialled again.
 *
 * @throws RetryableError `LINK_DIAL_FAILED`, `CENTRAL_STREAM_REPLACED`; OperatorError `CENTRAL_STREAM_UNREADABLE`
 */
export async function* centralRecording(range: CentralRange): Recording {
  const { settings, since, clock, signal, said } = range
  const subject = centralSubject('readings', range.site, range.gateway)
  const last = await lastMessage(settings, subject, signal)
  if (last === null || (since !== null && last.time < since)) return
  const handover = new Handover<RecordedBatch>()
  const ended = AbortSignal.any([signal, handover.abandoned])
  const following = follow({
    settings,
    sources: [{ lane: 'readings', subject }],
    since: since ?? 0,
    signal: ended,
    clock,
    async onMessage(lane, message) {
      if (message.sequence <= last.sequence) await handover.give(await decoded(lane, message))
      if (message.sequence >= last.sequence) handover.end()
    },
    onInterruption({ kind, text }) {
      if (kind === 'replaced' || kind === 'waiting')
        handover.fail(new RetryableError('CENTRAL_STREAM_REPLACED', `${text} while it was read; run it again`))
      else said(text)
    },
  })
  try {
    yield* handover.taken(signal)
  } finally {
    handover.abandon()
    await following
  }
}

async function decoded(...[lane, message]: Parameters<typeof decodeBatch>): Promise<RecordedBatch> {
  try {
    const batch = await decodeBatch(lane, message)
    if (batch === null) return { source: null, lines: [], faults: [] }
    const { site, gateway, lines } = batch
    return { source: sourceOf(site, gateway ?? ''), lines, faults: [] }
  } catch (error) {
    if (!(error instanceof DeadLetterError)) throw error
    const { sequence, subject } = message
    return { source: null, lines: [], faults: [`message ${sequence} on ${subject}: ${error.message}`] }
  }
}

/** The newest message on the subject; null when there is none. */
async function lastMessage(
  settings: NatsSettings,
  subject: string,
  signal: AbortSignal,
): Promise<{ sequence: StreamSequence; time: Millis } | null> {
  const connection = await connectNats(settings, signal)
  try {
    const manager = await jetstreamManager(connection, { checkAPI: false, timeout: REQUEST_TIMEOUT })
    const message = await manager.streams.getMessage(STREAMS.readings, { last_by_subj: subject })
    return message && { sequence: message.seq, time: message.time.getTime() }
  } catch (cause) {
    throw new OperatorError(
      'CENTRAL_STREAM_UNREADABLE',
      `cannot read stream ${STREAMS.readings} of ${settings.servers.join(', ')}; is it a central server of Tidegate, and may you read it?`,
      { cause },
    )
  } finally {
    await connection.close()
  }
}
