import type { Bytes, Millis } from '../../../../sync/contract/index.ts'
import type { Connect } from './connect.ts'
import type { Properties } from './properties.ts'

export interface TermsLimits {
  maxKeepAlive: Millis
  maxPublishBytes: Bytes
  receiveMaximum: number
  topicAliasMaximum: number
  maxSessionExpiry: Millis
}

/** What client and server are agreed on for one connection. */
export interface Terms {
  clientId: string
  /** Seconds; never 0. */
  keepAlive: number
  /** Seconds; 0 = the session ends with the connection. */
  sessionExpiry: number
  /** Publishes of QoS 1 and 2 to the client that may be without an answer. */
  receiveMaximum: number
  /** Largest packet that the client takes. */
  maxPacketSize: Bytes
  /** Whether it wants reasons in words, too. */
  explain: boolean
  /** The properties of CONNACK. */
  welcome: Properties
}

/** Fixed header of a packet of that remaining length (MQTT 5 §2.1.4). */
const headerOf = (length: Bytes): Bytes => 2 + [0x80, 0x4000, 0x20_0000].filter((limit) => length >= limit).length
const ANY_NUMBER = 65_535

/** What the server grants of what a client asks for (MQTT 5 §3.2.2.3). Maximum QoS is left out, which says 2. */
export function termsFor(connect: Connect, limits: TermsLimits, newId: () => string): Terms {
  const { keepAlive, properties } = connect
  const longest = Math.min(ANY_NUMBER, Math.max(1, Math.floor(limits.maxKeepAlive / 1000)))
  const granted = keepAlive === 0 ? longest : Math.min(keepAlive, longest)
  const asked = properties.sessionExpiry ?? 0
  const sessionExpiry = Math.min(asked, Math.floor(limits.maxSessionExpiry / 1000))
  const clientId = connect.clientId === '' ? newId() : connect.clientId
  const { receiveMaximum, topicAliasMaximum } = limits
  return {
    clientId,
    keepAlive: granted,
    sessionExpiry,
    receiveMaximum: properties.receiveMaximum ?? ANY_NUMBER,
    maxPacketSize: properties.maxPacketSize ?? Number.POSITIVE_INFINITY,
    explain: properties.requestProblem !== 0,
    welcome: {
      ...(sessionExpiry !== asked && { sessionExpiry }),
      ...(connect.clientId === '' && { assignedClientId: clientId }),
      ...(granted !== keepAlive && { serverKeepAlive: granted }),
      receiveMaximum,
      topicAliasMaximum,
      maxPacketSize: limits.maxPublishBytes + headerOf(limits.maxPublishBytes),
      retainAvailable: 1,
      wildcardAvailable: 1,
      subscriptionIdAvailable: 1,
      sharedAvailable: 0,
    },
  }
}
