import type { Millis } from '../../sync/contract/index.ts'

/** Which reading a payload carries, as far as it says. */
export interface Identity {
  /** Absent when the topic, or the keys of a flat object, say it. */
  metric?: string
  seq?: number
  session?: string
  time?: Millis
}

/**
 * The readings that a payload in one of the forms that devices send (object, flat object, array of objects, SenML) stands
 * for: how a valid payload that a gateway refused (its clock was absurd, say) is found again among the dead letters.
 */
export function identifyPayload(payload: Uint8Array): Identity[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(Buffer.from(payload).toString('utf8'))
  } catch {
    return []
  }
  const records = (Array.isArray(parsed) ? parsed : [parsed]).filter(isObject)
  return records.some((record) => 'n' in record || 'bn' in record)
    ? identifySenml(records)
    : records.map(identifyObject)
}

function identifyObject(record: Readonly<Record<string, unknown>>): Identity {
  const { metric, seq, session, time } = record
  const identity: Identity = {}
  if (typeof metric === 'string') identity.metric = metric
  if (typeof seq === 'number') identity.seq = seq
  if (typeof session === 'string') identity.session = session
  if (typeof time === 'number') identity.time = time
  return identity
}

/** RFC 8428 §4.1 and §4.6: base name and base time hold for the records after them, too. */
function identifySenml(records: Readonly<Record<string, unknown>>[]): Identity[] {
  let baseName = ''
  let baseTime = 0
  return records.map((record) => {
    if (typeof record['bn'] === 'string') baseName = record['bn']
    if (typeof record['bt'] === 'number') baseTime = record['bt']
    const name = typeof record['n'] === 'string' ? record['n'] : ''
    const time = typeof record['t'] === 'number' ? record['t'] : 0
    return { metric: baseName + name, time: Math.round((baseTime + time) * 1000) }
  })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
