import { DeadLetterError, decodeEvent, eventSubject, HEADERS, unescapeToken } from '../contract/index.ts'
import type { Batch, StoredMessage } from './batch.ts'

/**
 * One threshold event from its message: CloudEvents 1.0 in binary mode, the whole event as JSON body. What the headers say
 * must be what the body says: whoever filters by headers and whoever reads the body see the same event.
 *
 * @throws DeadLetterError `EVENT_HEADERS`, `EVENT_INVALID`, `SUBJECT_TOKEN_INVALID`
 */
export function decodeEventMessage({ subject, headers, body }: StoredMessage): Batch {
  const line = Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8')
  const event = decodeEvent(line)
  const source = attribute(headers, 'ce-source')
  const site = unescapeToken(subject.split('.')[1] ?? '')
  const agreeing = {
    'ce-id': attribute(headers, 'ce-id') === event.id,
    'ce-type': attribute(headers, 'ce-type') === event.type,
    [HEADERS.transition]: headers.get(HEADERS.transition) === String(event.transition),
    [HEADERS.since]: headers.get(HEADERS.since) === String(event.since),
    'the subject': eventSubject(site, event.device, event.rule) === subject,
  }
  const wrong = Object.entries(agreeing).filter(([, agrees]) => !agrees)
  if (wrong.length > 0)
    throw new DeadLetterError(
      'EVENT_HEADERS',
      `${wrong.map(([name]) => name).join(', ')}: not those of the event in the body`,
    )
  const term = Number(headers.get(HEADERS.term))
  const prefix = `/sites/${site}/gateways/`
  return {
    // Another series of transitions is numbered from 1 again.
    origin: `${subject}@${event.since}`,
    site,
    gateway: source.startsWith(prefix) ? source.slice(prefix.length) : null,
    from: event.transition,
    to: event.transition,
    term: Number.isSafeInteger(term) ? term : 0,
    lineage: null,
    gaps: [],
    lines: [line],
    offsets: [event.transition],
    source,
  }
}

/** A CloudEvents attribute; values are percent-encoded (HTTP binding §3.1.3.2). */
function attribute(headers: ReadonlyMap<string, string>, name: string): string {
  const value = headers.get(name)
  if (value === undefined) throw new DeadLetterError('EVENT_HEADERS', `the message is not a CloudEvent: no ${name}`)
  try {
    return decodeURIComponent(value)
  } catch (cause) {
    throw new DeadLetterError('EVENT_HEADERS', `${name}: '${value}' is not percent-encoded`, { cause })
  }
}
