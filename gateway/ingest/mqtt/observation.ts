import type { ViolationCode } from './violation.ts'

/** Everything the MQTT side counts. */
export type MqttCounter =
  | 'connections.accepted'
  | 'connections.closed'
  | 'connections.refused.total'
  | 'connections.refused.address'
  | 'connections.refused.rate'
  | 'connections.refused.tls'
  | 'connections.refused.upgrade'
  /** No accepted CONNECT within `connectTimeout`. */
  | 'connections.timedOut'
  | `violations.${ViolationCode}`
  /** Cut by the broker library: keep-alive missed, drain timeout, socket error, publish refused by the acceptor. */
  | 'clients.failed'
  | 'clients.takenOver'
  /** Came while this gateway lets no devices in: it has handed over to a peer. */
  | 'clients.sentAway'
  | 'clients.authenticationFailed'
  /** The acceptor would not take it: closed without an acknowledgement. */
  | 'publishes.refused'
  /** Published by a client under `$SYS/` or `$tidegate/`: acknowledged and dropped. */
  | 'publishes.reserved'
  | 'wills.accepted'
  | 'wills.refused'
  /** Local messages a subscriber did not get, by reason. */
  | 'forwards.droppedSlow'
  | 'forwards.droppedUnauthorized'
  /** MQTT 5: expired before it could be delivered. */
  | 'forwards.droppedExpired'
  /** MQTT 5: larger than the subscriber takes. */
  | 'forwards.droppedTooLarge'
  | 'sessions.droppedQueueFull'
  | 'sessions.evicted'
  | 'subscriptions.refused'
  | 'retained.refused'
  | 'retained.expired'

export interface MqttCounters {
  increment(name: MqttCounter, by?: number): void
}

/** The part of a pino logger that is used here. */
export interface Log {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}
