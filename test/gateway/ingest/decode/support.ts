import { type DecodeLimits, type DecodeResult, decodePayload } from '../../../../gateway/ingest/decode/index.ts'
import { compileTopics, type TopicMatch, type TopicTemplate } from '../../../../gateway/ingest/topics/index.ts'

/** 2026-01-01T00:00:00.500Z */
export const RECEIVED = 1_767_225_600_500

export const LIMITS: DecodeLimits = {
  maxPayload: 65_536,
  maxReadingsPerMessage: 1000,
  maxFuture: 3_600_000,
  maxAge: 10 * 365 * 86_400_000,
}

/** What a template says about a topic. */
export function match(template: string | TopicTemplate, topic: string): TopicMatch {
  const templates = [typeof template === 'string' ? { template } : template]
  const found = compileTopics({ site: 's1', templates, local: [] }).lookup(topic)
  if (found === null || found === 'local') throw new Error(`expected '${topic}' to match`)
  return found
}

/** Device d1, metric temp. */
export const TEMP = match('sensors/{device}/{metric}', 'sensors/d1/temp')

/** Device d1, no metric. */
export const OPEN = match('sensors/{device}', 'sensors/d1')

export function decode(payload: string | Buffer, topic = TEMP, limits: Partial<DecodeLimits> = {}): DecodeResult {
  const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
  return decodePayload(topic, bytes, RECEIVED, { ...LIMITS, ...limits })
}
