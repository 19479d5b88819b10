import { gzipSync } from 'node:zlib'
import type { Central, CentralMessage } from '../../../simulators/ledger/index.ts'
import {
  type DeadLetter,
  deadLettersSubject,
  encodeDeadLetter,
  encodeLine,
  HEADERS,
  NDJSON,
  type Reading,
  readingsSubject,
  STREAMS,
} from '../../../sync/contract/index.ts'

/** A message as a gateway makes it, by hand. */
export interface HandMadePack {
  stream: string
  subject: string
  headers: Record<string, string>
  body: Buffer
}

export interface PackOptions {
  gateway?: string
  epoch?: string
  gaps?: string
  /** Offsets that `gaps` declares. */
  missing?: number
  gzip?: boolean
  headers?: Record<string, string>
}

const nextOffset = (): ((origin: string, count: number) => number) => {
  const next = new Map<string, number>()
  return (origin, count) => {
    const from = next.get(origin) ?? 0
    next.set(origin, from + count)
    return from
  }
}

/** Packs with the right offsets, one after the other, as long as nobody overrides a header. */
export function packMaker(): {
  readings(readings: readonly Reading[], options?: PackOptions): HandMadePack
  deadLetters(letters: readonly DeadLetter[], options?: PackOptions): HandMadePack
} {
  const offsets = nextOffset()
  const make = (stream: string, subject: string, lines: readonly string[], options: PackOptions): HandMadePack => {
    const { epoch = 'e1', gaps, missing = 0, gzip = false } = options
    const length = lines.length + missing
    const from = offsets(`${subject} ${epoch}`, length)
    const text = Buffer.from(lines.map((line) => `${line}\n`).join(''))
    return {
      stream,
      subject,
      headers: {
        [HEADERS.epoch]: epoch,
        [HEADERS.from]: `${from}`,
        [HEADERS.to]: `${from + length - 1}`,
        [HEADERS.term]: '1',
        [HEADERS.count]: `${lines.length}`,
        [HEADERS.contentType]: NDJSON,
        ...(gaps === undefined ? {} : { [HEADERS.gaps]: gaps }),
        ...(gzip ? { [HEADERS.contentEncoding]: 'gzip' } : {}),
        ...options.headers,
      },
      body: gzip ? gzipSync(text) : text,
    }
  }
  return {
    readings: (readings, options = {}) =>
      make(
        STREAMS.readings,
        readingsSubject('site', options.gateway ?? 'gw1'),
        readings.map((reading) => encodeLine(reading)),
        options,
      ),
    deadLetters: (letters, options = {}) =>
      make(
        STREAMS.deadletters,
        deadLettersSubject('site', options.gateway ?? 'gw1'),
        letters.map((letter) => encodeDeadLetter(letter)),
        options,
      ),
  }
}

/** A centre in memory that holds these packs. */
export function memoryCentral(packs: readonly HandMadePack[]): Central {
  const messages = (stream: string): CentralMessage[] =>
    packs
      .filter((pack) => pack.stream === stream)
      .map(({ subject, headers, body }, index) => ({
        subject,
        sequence: index + 1,
        header: (name) => headers[name] ?? '',
        body,
      }))
  return {
    state: async (stream) => {
      const { length } = messages(stream)
      return { created: 'once', firstSequence: 1, lastSequence: length, messages: length, bytes: 0 }
    },
    async *read(stream, from) {
      yield* messages(stream).slice(from - 1)
    },
  }
}
