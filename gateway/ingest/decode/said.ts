import type { Millis, Reading } from '../../../sync/contract/index.ts'
import type { Said } from '../acceptor.ts'
import { MAX_LABELS, MAX_NAME, nameFault, type TopicMatch, textFault } from '../topics/index.ts'
import { type DecodeProblem, problem, show } from './codes.ts'

/** Media types whose payloads are read (RFC 6838; parameters do not matter). Bytes of no particular type may be anything. */
const READ = /^(text\/.+|application\/octet-stream|[^/]+\/(.+\+)?json)$/i

/**
 * What a topic says together with what the properties of an MQTT 5 message say: user properties become labels. The topic's labels
 * win: what a topic says can be guarded by access rules. Both win over the payload's.
 */
export function heed(match: TopicMatch, said: Said): TopicMatch | DecodeProblem {
  const { contentType, user } = said
  if (contentType !== null) {
    const type = contentType.split(';', 1)[0]?.trim() ?? ''
    if (type !== '' && !READ.test(type))
      return problem('CONTENT_TYPE_UNSUPPORTED', `expected a text or JSON, the content type is ${show(contentType)}`)
  }
  if (user.length === 0) return match
  const labels: Record<string, string> = {}
  for (const [name, value] of user) {
    const fault = nameFault(name) ?? textFault(value, MAX_NAME)
    if (fault !== null) return problem('LABELS_INVALID', `user properties: ${show(name)} with ${show(value)}: ${fault}`)
    labels[name] = value
  }
  Object.assign(labels, match.labels)
  const count = Object.keys(labels).length
  if (count > MAX_LABELS)
    return problem('LABELS_INVALID', `user properties: ${count} labels with the topic's, more than ${MAX_LABELS}`)
  return { ...match, labels: Object.freeze(labels), bytes: null }
}

/** The problem of a message whose reading has become stale on its way. */
export function tooOld(reading: Reading, received: Millis, expiry: Millis): DecodeProblem {
  const age = received - (reading.time ?? received)
  return problem('MESSAGE_EXPIRED', `${reading.metric}: expected a time at most ${expiry} ms back, came ${age} ms back`)
}
