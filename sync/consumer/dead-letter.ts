import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { JetStreamClient } from '@nats-io/jetstream'
import { type MsgHdrs, headers as newHeaders } from '@nats-io/transport-node'
import { type Bytes, HEADERS, type Lane, type Millis, STREAMS } from '../contract/index.ts'
import type { Batch, StoredMessage } from './batch.ts'
import type { RecordPosition } from './records.ts'

const compress = promisify(gzip)

/** Headers of a consumer's dead letter, beside those of the original message. */
export const DEAD_LETTER_HEADERS = {
  /** Stable reason, for programs: `LINE_INVALID`, `PACK_HEADERS`, `HANDLER_FAILED`, or the code of what the handler threw. */
  code: 'Tidegate-Dead-Code',
  /** The reason for people, percent-encoded. */
  reason: 'Tidegate-Dead-Reason',
  /** How often the handler was asked; 0 = never, the record could not be read. */
  attempts: 'Tidegate-Dead-Attempts',
  /** Where the original is. */
  stream: 'Tidegate-Dead-Stream',
  subject: 'Tidegate-Dead-Subject',
  sequence: 'Tidegate-Dead-Sequence',
  /** `omitted`: the original does not fit beside these headers; read it from its stream. */
  body: 'Tidegate-Dead-Body',
} as const

/** A record that the handler could not process, or a whole message that is not of a gateway. */
export interface ConsumerDeadLetter {
  lane: Lane
  message: StoredMessage
  /** The record; null when the message as a whole cannot be read. */
  record: { position: RecordPosition; line: string; batch: Batch } | null
  code: string
  reason: string
  attempts: number
}

/** Puts a dead letter where it is kept. Resolves when it is safe there; a rejection is retried until it is. */
export type KeepDeadLetter = (letter: ConsumerDeadLetter) => Promise<void>

/** Where the dead letters of a durable consumer go: behind the prefix stands the subject of the original. */
export const consumerDeadLetterSubject = (durable: string, subject: string): string =>
  `consumer-deadletters.${durable}.${subject}`

/** Room for our own headers and the protocol's. */
const HEADER_ROOM: Bytes = 2048
const MAX_REASON = 500

/**
 * Keeps dead letters in stream CONSUMER_DEADLETTERS, each as a message that can be processed again by whatever reads
 * the original: a record of a pack becomes a pack of one record at its own position, anything else stays as it was.
 */
export function streamDeadLetters(
  client: JetStreamClient,
  durable: string,
  maxPayload: () => Bytes,
  timeout: Millis,
): KeepDeadLetter {
  return async (letter) => {
    const { message, record } = letter
    const headers = lettersHeaders(letter)
    let body = record && letter.lane !== 'events' ? Buffer.from(`${record.line}\n`) : message.body
    let room = maxPayload() - HEADER_ROOM
    for (const [name, value] of message.headers) room -= name.length + value.length + 4
    if (body.length > room && !headers.has(HEADERS.contentEncoding)) {
      body = await compress(body)
      headers.set(HEADERS.contentEncoding, 'gzip')
    }
    if (body.length > room) {
      body = new Uint8Array()
      headers.set(DEAD_LETTER_HEADERS.body, 'omitted')
    }
    const place = record ? `${record.position.origin}:${record.position.offset}` : `#${message.sequence}`
    await client.publish(consumerDeadLetterSubject(durable, message.subject), body, {
      headers,
      // A crash between this and remembering it: the stream's dedupe window keeps the second copy out.
      msgID: `${durable}:${place}`,
      timeout,
      retries: 1,
      expect: { streamName: STREAMS.consumerDeadletters },
    })
  }
}

function lettersHeaders({ lane, message, record, code, reason, attempts }: ConsumerDeadLetter): MsgHdrs {
  const headers = newHeaders()
  // JetStream's own headers are instructions (expected sequence, TTL): they were for the original.
  for (const [name, value] of message.headers) if (!/^nats-/i.test(name)) headers.set(name, value)
  if (record && lane !== 'events') {
    for (const name of [HEADERS.gaps, HEADERS.lineage, HEADERS.contentEncoding]) headers.delete(name)
    const { offset } = record.position
    headers.set(HEADERS.from, String(offset))
    headers.set(HEADERS.to, String(offset))
    headers.set(HEADERS.count, '1')
  }
  headers.set(DEAD_LETTER_HEADERS.code, code)
  headers.set(DEAD_LETTER_HEADERS.reason, percentEncoded(reason.slice(0, MAX_REASON)))
  headers.set(DEAD_LETTER_HEADERS.attempts, String(attempts))
  headers.set(DEAD_LETTER_HEADERS.stream, STREAMS[lane])
  headers.set(DEAD_LETTER_HEADERS.subject, message.subject)
  headers.set(DEAD_LETTER_HEADERS.sequence, String(message.sequence))
  return headers
}

/** Header values are plain ASCII without line breaks; decodeURIComponent gives the text back. */
function percentEncoded(text: string): string {
  const wellFormed = Buffer.from(text, 'utf8').toString('utf8')
  return wellFormed.replace(/[^\x20-\x24\x26-\x7e]+/g, encodeURIComponent)
}
