import type { ViolationCode } from '../violation.ts'

/** Reason codes of MQTT 5 (§2.4) that this server sends or looks at. */
export const REASON = {
  success: 0x00,
  disconnectWithWill: 0x04,
  noMatchingSubscribers: 0x10,
  noSubscriptionExisted: 0x11,
  malformedPacket: 0x81,
  protocolError: 0x82,
  implementationSpecific: 0x83,
  clientIdNotValid: 0x85,
  notAuthorized: 0x87,
  serverBusy: 0x89,
  serverShuttingDown: 0x8b,
  badAuthenticationMethod: 0x8c,
  keepAliveTimeout: 0x8d,
  sessionTakenOver: 0x8e,
  topicFilterInvalid: 0x8f,
  topicNameInvalid: 0x90,
  receiveMaximumExceeded: 0x93,
  topicAliasInvalid: 0x94,
  packetTooLarge: 0x95,
  quotaExceeded: 0x97,
  payloadFormatInvalid: 0x99,
  useAnotherServer: 0x9c,
  sharedSubscriptionsNotSupported: 0x9e,
} as const

export type Reason = (typeof REASON)[keyof typeof REASON]

/** Whether the code says that something failed (§2.4). */
export const isFailure = (reason: number): boolean => reason >= 0x80

const BY_VIOLATION: Partial<Record<ViolationCode, Reason>> = {
  PACKET_TYPE_FORBIDDEN: REASON.protocolError,
  PACKET_TOO_LARGE: REASON.packetTooLarge,
  FIRST_NOT_CONNECT: REASON.protocolError,
  SECOND_CONNECT: REASON.protocolError,
  PROTOCOL_ERROR: REASON.protocolError,
  PACKET_ID_ZERO: REASON.protocolError,
  TOO_MANY_FILTERS: REASON.quotaExceeded,
  TOPIC_ALIAS_INVALID: REASON.topicAliasInvalid,
  RECEIVE_MAXIMUM_EXCEEDED: REASON.receiveMaximumExceeded,
  AUTH_METHOD_UNSUPPORTED: REASON.badAuthenticationMethod,
}

/** What a client is told that broke the protocol or a limit (§4.13). */
export function reasonOf(code: ViolationCode): Reason {
  const known = BY_VIOLATION[code]
  if (known !== undefined) return known
  // A text that is no UTF-8 or holds NUL makes the packet malformed (MQTT-1.5.4-1, -2).
  if (code.endsWith('_NOT_UTF8') || code.endsWith('_NUL')) return REASON.malformedPacket
  if (code.startsWith('TOPIC_') || code.startsWith('WILL_TOPIC_') || code.startsWith('RESPONSE_TOPIC_'))
    return REASON.topicNameInvalid
  if (code.startsWith('FILTER_')) return REASON.topicFilterInvalid
  if (code.startsWith('CLIENT_ID_')) return REASON.clientIdNotValid
  return REASON.malformedPacket
}
