import { gunzipSync } from 'node:zlib'
import { HEADERS, isFence, type Offset } from '../../sync/contract/index.ts'
import type { CentralMessage } from './central.ts'
import { IntervalSet } from './interval-set.ts'

/** Offsets that a pack says it does not contain, and why. */
export interface DeclaredGap {
  from: Offset
  to: Offset
  reason: string
}

/** A message of a gateway, taken apart. */
export interface Pack {
  /** Whose offsets these are: the subject (site and gateway) and the epoch of the outbox. */
  origin: string
  from: Offset
  to: Offset
  gaps: DeclaredGap[]
  /** The lines of the body, parsed. */
  records: object[]
  /** What is wrong with it; empty when all is well. */
  problems: string[]
}

/** Takes a message apart; null when it is a fence. Never throws: what is wrong with the message is part of the result. */
export function decodePack(message: CentralMessage): Pack | null {
  if (isFence(message.header)) return null
  const problems: string[] = []
  const offset = (name: string): number => {
    const text = message.header(name)
    if (!/^\d+$/.test(text)) problems.push(`${name}: expected an offset, got '${text}'`)
    return Number(text)
  }
  const epoch = message.header(HEADERS.epoch)
  if (epoch === '') problems.push(`${HEADERS.epoch}: expected the id of an outbox, got nothing`)
  const from = offset(HEADERS.from)
  const to = offset(HEADERS.to)
  const count = offset(HEADERS.count)
  const gaps = parseGaps(message.header(HEADERS.gaps), from, to, problems)
  const records = parseRecords(message, problems)
  const missing = gaps.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
  if (problems.length === 0) {
    if (to < from) problems.push(`goes from offset ${from} back to ${to}`)
    if (count !== records.length)
      problems.push(`${HEADERS.count} is ${count}, but the body has ${records.length} lines`)
    if (count !== to - from + 1 - missing) {
      problems.push(
        `${HEADERS.count} is ${count}, but ${from}-${to} without ${missing} declared missing is something else`,
      )
    }
  }
  return { origin: `${message.subject} ${epoch}`, from, to, gaps, records, problems }
}

function parseGaps(header: string, from: Offset, to: Offset, problems: string[]): DeclaredGap[] {
  const gaps: DeclaredGap[] = []
  const seen = new IntervalSet()
  for (const part of header === '' ? [] : header.split(',')) {
    const match = /^\s*(\d+)-(\d+) (\S+)\s*$/.exec(part)
    const gap = { from: Number(match?.[1]), to: Number(match?.[2]), reason: match?.[3] ?? '' }
    const sound =
      match !== null &&
      gap.from <= gap.to &&
      gap.from >= from &&
      gap.to <= to &&
      seen.addRange(gap.from, gap.to) === gap.to - gap.from + 1
    if (sound) gaps.push(gap)
    else problems.push(`${HEADERS.gaps}: '${part.trim()}' is no hole of its own within ${from}-${to}`)
  }
  return gaps
}

function parseRecords(message: CentralMessage, problems: string[]): object[] {
  const encoding = message.header(HEADERS.contentEncoding)
  let text: string
  try {
    const body = encoding === 'gzip' ? gunzipSync(message.body) : Buffer.from(message.body)
    if (encoding !== '' && encoding !== 'gzip') problems.push(`${HEADERS.contentEncoding} is '${encoding}'`)
    text = body.toString('utf8')
  } catch (error) {
    problems.push(`the body is not gzip: ${String(error)}`)
    return []
  }
  if (text.endsWith('\n')) text = text.slice(0, -1)
  if (text === '') return []
  const lines = text.split('\n')
  const all = tryParse(`[${text.replaceAll('\n', ',')}]`)
  // One parse for the whole pack is much cheaper than one a line; what it cannot tell apart is looked at line by line.
  const records = Array.isArray(all) && all.length === lines.length ? all : lines.map(tryParse)
  return records.filter((record, index): record is object => {
    const sound = typeof record === 'object' && record !== null && !Array.isArray(record)
    if (!sound) problems.push(`line ${index + 1} of the body is no JSON object`)
    return sound
  })
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
