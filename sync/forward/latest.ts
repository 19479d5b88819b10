import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import { type Bytes, HEADERS, latestSubject, type Millis, NDJSON, STREAMS } from '../contract/index.ts'
import type { CentralSession, OutgoingMessage } from '../link/index.ts'
import { HEADER_ROOM } from './pack.ts'

const compress = promisify(gzip)
/** NDJSON of last values shrinks at least this much; checked after compressing, not trusted. */
const EXPECTED_RATIO = 4
const COMPRESS_FROM: Bytes = 8 * 1024

/**
 * The last known value of every series, as one message (or, beyond the server's maximum, several on numbered subjects
 * below it): what people look at first after an outage is there before the backlog.
 */
export async function publishLatest(
  session: CentralSession,
  origin: { site: string; gateway: string; epoch: string },
  lines: Iterable<string>,
  timeout: Millis,
): Promise<void> {
  const subject = latestSubject(origin.site, origin.gateway)
  const limit = session.maxPayload - HEADER_ROOM
  const parts = [...chunks(lines, limit * EXPECTED_RATIO)]
  for (let i = 0; i < parts.length; i++) {
    const part = parts[i]
    if (part === undefined) continue
    const target = parts.length === 1 ? subject : `${subject}.${i}`
    const message = await snapshot(target, origin.epoch, part)
    if (message.body.length <= limit) await session.append(message, null, timeout)
    else {
      let n = 0
      for (const piece of chunks(part.text.trimEnd().split('\n'), limit))
        await session.append(await snapshot(`${target}.${n++}`, origin.epoch, piece), null, timeout)
    }
  }
}

interface Part {
  text: string
  count: number
}

async function snapshot(subject: string, epoch: string, part: Part): Promise<OutgoingMessage> {
  const headers: [string, string][] = [
    [HEADERS.epoch, epoch],
    [HEADERS.count, String(part.count)],
    [HEADERS.contentType, NDJSON],
  ]
  let body: Uint8Array = Buffer.from(part.text, 'utf8')
  if (body.length >= COMPRESS_FROM) {
    body = await compress(body, { level: 1 })
    headers.push([HEADERS.contentEncoding, 'gzip'])
  }
  return { stream: STREAMS.latest, subject, headers, body }
}

function* chunks(lines: Iterable<string>, maxBytes: Bytes): Iterable<Part> {
  let text = ''
  let bytes = 0
  let count = 0
  for (const line of lines) {
    const size = Buffer.byteLength(line) + 1
    if (count > 0 && bytes + size > maxBytes) {
      yield { text, count }
      text = ''
      bytes = 0
      count = 0
    }
    text += `${line}\n`
    bytes += size
    count++
  }
  if (count > 0) yield { text, count }
}
