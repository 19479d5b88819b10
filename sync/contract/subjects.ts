import { DeadLetterError } from './errors.ts'

/** Central stream names; one stream a kind of record. */
export const STREAMS = {
  readings: 'READINGS',
  events: 'EVENTS',
  deadletters: 'DEADLETTERS',
  latest: 'LATEST',
  /** What a consumer of the other streams could not process. */
  consumerDeadletters: 'CONSUMER_DEADLETTERS',
} as const

const PLAIN = /^[A-Za-z0-9_:@-]+$/
const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * Any non-empty string as one NATS subject token, reversibly: letters, digits and `_ : @ -` stay, every other
 * byte of its UTF-8 becomes `=XX` (RFC 2045 quoted-printable, upper-case hex). So `.`, `*`, `>`, blanks and `=`
 * itself can never split a subject or act as a wildcard.
 *
 * @throws DeadLetterError `SUBJECT_TOKEN_EMPTY`
 */
export function escapeToken(text: string): string {
  if (PLAIN.test(text)) return text
  if (text === '') throw new DeadLetterError('SUBJECT_TOKEN_EMPTY', 'a subject token cannot be made of an empty name')
  let token = ''
  for (const byte of encoder.encode(text)) {
    const char = String.fromCharCode(byte)
    token += byte < 128 && PLAIN.test(char) ? char : `=${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return token
}

/**
 * The string that `escapeToken` was given.
 *
 * @throws DeadLetterError `SUBJECT_TOKEN_INVALID` when the token was not made by `escapeToken`
 */
export function unescapeToken(token: string): string {
  if (PLAIN.test(token)) return token
  const bytes: number[] = []
  for (let i = 0; i < token.length; i++) {
    const char = token.charAt(i)
    if (char === '=') {
      const hex = token.slice(i + 1, i + 3)
      if (!/^[0-9A-F]{2}$/.test(hex)) throw invalidToken(token)
      bytes.push(Number.parseInt(hex, 16))
      i += 2
    } else if (PLAIN.test(char)) {
      bytes.push(char.charCodeAt(0))
    } else throw invalidToken(token)
  }
  try {
    return decoder.decode(new Uint8Array(bytes))
  } catch {
    throw invalidToken(token)
  }
}

function invalidToken(token: string): DeadLetterError {
  return new DeadLetterError('SUBJECT_TOKEN_INVALID', `'${token}' is not an escaped subject token`)
}

/** Where the packs of readings of one gateway go. */
export const readingsSubject = (site: string, gateway: string): string =>
  `readings.${escapeToken(site)}.${escapeToken(gateway)}`

/** Where the packs of dead letters of one gateway go. */
export const deadLettersSubject = (site: string, gateway: string): string =>
  `deadletters.${escapeToken(site)}.${escapeToken(gateway)}`

/** Where the snapshot of last known values of one gateway goes. */
export const latestSubject = (site: string, gateway: string): string =>
  `latest.${escapeToken(site)}.${escapeToken(gateway)}`

/** The chain of one alarm. */
export const eventSubject = (site: string, device: string, rule: string): string =>
  `events.${escapeToken(site)}.${escapeToken(device)}.${escapeToken(rule)}`
