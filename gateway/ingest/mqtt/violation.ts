/** What can be wrong with a text of a packet (topic, filter, client id, user name). */
export type TextFault = 'EMPTY' | 'TOO_LONG' | 'TOO_DEEP' | 'NOT_UTF8' | 'NUL' | 'CONTROL_CHARACTER' | 'WILDCARD'

/** Which text it was. */
export type TextSubject = 'TOPIC' | 'WILL_TOPIC' | 'RESPONSE_TOPIC' | 'FILTER' | 'CLIENT_ID' | 'USERNAME'

/** Why a connection was cut: stable, one counter each. */
export type ViolationCode =
  | 'PACKET_TYPE_FORBIDDEN'
  | 'FLAGS_RESERVED'
  | 'LENGTH_MALFORMED'
  | 'PACKET_TOO_LARGE'
  | 'PACKET_MALFORMED'
  | 'PACKET_ID_ZERO'
  | 'QOS_INVALID'
  | 'DUP_WITHOUT_QOS'
  | 'FIRST_NOT_CONNECT'
  | 'SECOND_CONNECT'
  | 'PROTOCOL_UNSUPPORTED'
  | 'CONNECT_FLAGS_INVALID'
  | 'TOO_MANY_FILTERS'
  | 'FRAME_NOT_BINARY'
  /** MQTT 5 only: a packet that is well formed, and may not be what or where it is. */
  | 'PROTOCOL_ERROR'
  | 'TOPIC_ALIAS_INVALID'
  | 'RECEIVE_MAXIMUM_EXCEEDED'
  | 'AUTH_METHOD_UNSUPPORTED'
  | 'CLIENT_ID_RESERVED'
  | `${TextSubject}_${TextFault}`

/** A client broke the protocol or a limit: close its connection (MQTT-4.8.0-1). */
export interface Violation {
  readonly code: ViolationCode
  /** What was expected and what came. */
  readonly message: string
  /** CONNACK return code the client is owed before the close: 1 protocol level, 2 client id. */
  readonly connack?: 1 | 2
}

export function violation(code: ViolationCode, message: string, connack?: 1 | 2): Violation {
  return connack === undefined ? { code, message } : { code, message, connack }
}

const EXPECTED: Readonly<Record<TextFault, string>> = {
  EMPTY: 'at least one character',
  TOO_LONG: 'fewer bytes',
  TOO_DEEP: 'fewer levels',
  NOT_UTF8: 'valid UTF-8 (MQTT-1.5.3-1)',
  NUL: 'no NUL character (MQTT-1.5.3-2)',
  CONTROL_CHARACTER: 'no control characters (MQTT 3.1.1 section 1.5.3)',
  WILDCARD: 'wildcards only in filters, # as the last level, + as a whole level (MQTT-4.7.1)',
}

export function textViolation(subject: TextSubject, fault: TextFault, bytes: number, connack?: 1 | 2): Violation {
  const name = subject.toLowerCase().replace('_', ' ')
  return violation(`${subject}_${fault}`, `expected ${EXPECTED[fault]}, came a ${name} of ${bytes} bytes`, connack)
}
