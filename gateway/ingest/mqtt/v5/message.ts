import type { Bytes, Millis } from '../../../../sync/contract/index.ts'
import type { Properties, UserProperties } from './properties.ts'

/** What an MQTT 5 message carries to its subscribers beside topic and payload, unaltered (MQTT 5 §3.3.2.3). */
export interface Carried {
  readonly payloadFormat?: number
  readonly contentType?: string
  readonly responseTopic?: string
  readonly correlationData?: Buffer
  readonly user?: UserProperties
  /** After this the message is delivered no more; Unix time. */
  readonly expires?: Millis
  /** Bytes of all of these. */
  readonly size: Bytes
}

const PLAIN: Carried = Object.freeze({ size: 0 })

/** What of the properties of a PUBLISH, or a will, that came `now` goes to its subscribers. */
export function carriedOf(properties: Properties, now: Millis): Carried {
  const { payloadFormat, contentType, responseTopic, correlationData, user, messageExpiry } = properties
  const texts = [contentType ?? '', responseTopic ?? '', ...(user ?? []).flat()]
  const carried: Carried = {
    size: texts.reduce((size, text) => size + text.length, correlationData?.length ?? 0),
    ...(payloadFormat !== undefined && { payloadFormat }),
    ...(contentType !== undefined && { contentType }),
    ...(responseTopic !== undefined && { responseTopic }),
    ...(correlationData !== undefined && { correlationData }),
    ...(user !== undefined && { user }),
    ...(messageExpiry !== undefined && { expires: now + messageExpiry * 1000 }),
  }
  return Object.keys(carried).length > 1 ? carried : PLAIN
}

/**
 * The properties of the PUBLISH to a subscriber.
 *
 * @returns null when the message has expired (MQTT-3.3.2-5)
 */
export function propertiesFor(
  carried: Carried | undefined,
  subscriptionIds: readonly number[],
  now: Millis,
): Properties | null {
  const { expires, size: _, ...rest } = carried ?? PLAIN
  const properties: Properties = { ...rest }
  if (expires !== undefined) {
    if (expires <= now) return null
    // What is left of it (MQTT-3.3.2-6).
    properties.messageExpiry = Math.ceil((expires - now) / 1000)
  }
  if (subscriptionIds.length > 0) properties.subscriptionIds = subscriptionIds
  return properties
}
