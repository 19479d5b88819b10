import type { Bytes, Millis } from '../../../sync/contract/index.ts'

/** PEM files of a TLS listener. */
export interface TlsFiles {
  certFile: string
  keyFile: string
  /** Authorities whose client certificates are required; without it clients need no certificate. */
  caFile?: string
}

/** Where to listen. `port` 0 takes any free port; the actual one is in the address returned. */
export type ListenerSettings =
  | { kind: 'tcp'; host: string; port: number }
  | { kind: 'tls'; host: string; port: number; tls: TlsFiles }
  | { kind: 'ws'; host: string; port: number }
  | { kind: 'wss'; host: string; port: number; tls: TlsFiles }
  | { kind: 'unix'; path: string }

/** What one client, and all of them together, may cost. */
export interface MqttLimits {
  /** Open sockets over all listeners. */
  maxConnections: number
  /** Open sockets from one remote address. */
  maxConnectionsPerAddress: number
  /** New connections a second over all listeners; 0 = no limit. */
  maxConnectionRate: number
  /** From the accepted stream (after TLS and the WebSocket upgrade, which get as long again each) to CONNACK. */
  connectTimeout: Millis
  /**
   * Longest keep-alive honoured. A client that asks for more, or for none (0), is treated as if it had asked for
   * this: silent for one and a half times as long, it is cut (MQTT 3.1.1 §3.1.2.10 permits it).
   */
  maxKeepAlive: Millis
  /** How long `close` waits for publishes under way and for clients to hang up. */
  closeGrace: Millis

  /** Remaining length of CONNECT. */
  maxConnectBytes: Bytes
  /** Remaining length of PUBLISH. */
  maxPublishBytes: Bytes
  /** Remaining length of SUBSCRIBE and UNSUBSCRIBE. */
  maxSubscribeBytes: Bytes
  /** Topic filters in one SUBSCRIBE or UNSUBSCRIBE. */
  maxFiltersPerPacket: number
  maxClientIdBytes: Bytes
  /** Topic names and filters. */
  maxTopicBytes: Bytes
  /** Levels of topic names and filters, at most 100. */
  maxTopicLevels: number

  /** Publishes of one client that may wait for the acceptor before its socket is no longer read. */
  maxInflightBytes: Bytes
  /** MQTT 5: publishes of QoS 1 and 2 that a client may have without an answer (§3.2.2.3.3). */
  receiveMaximum: number
  /** MQTT 5: topics that a client may number (§3.2.2.3.8). */
  topicAliasMaximum: number
  /** MQTT 5: how long a session may be kept without a connection (§3.2.2.3.2). */
  maxSessionExpiry: Millis
  /** QoS 2 packet identifiers of one session awaiting PUBREL. */
  maxUnreleased: number

  maxSubscriptionsPerClient: number
  /** Unsent bytes of one subscriber above which local messages to it are dropped. */
  slowReaderBytes: Bytes
  /** A subscriber that takes nothing for this long is cut. */
  drainTimeout: Millis
  maxRetainedMessages: number
  maxRetainedBytes: Bytes
  /** Persistent (clean session = 0) sessions kept in memory; the longest unused goes first. */
  maxSessions: number
  /** Messages kept for one persistent session. */
  maxQueuedMessages: number
  /** Payload and topic bytes kept for all persistent sessions together. */
  maxQueuedBytes: Bytes
}

/** The MQTT side of ingest. */
export interface MqttSettings {
  listeners: readonly ListenerSettings[]
  /** Whether publishes go past the library where they can; true unless said. */
  directWay?: boolean
  limits: MqttLimits
}

/** Generous for honest devices, small enough that the worst client is a bounded nuisance. */
export const defaultMqttLimits: Readonly<MqttLimits> = {
  maxConnections: 10_000,
  maxConnectionsPerAddress: 2_000,
  maxConnectionRate: 0,
  connectTimeout: 5_000,
  maxKeepAlive: 3_600_000,
  closeGrace: 5_000,
  maxConnectBytes: 8 * 1024,
  maxPublishBytes: 256 * 1024,
  maxSubscribeBytes: 16 * 1024,
  maxFiltersPerPacket: 100,
  maxClientIdBytes: 256,
  maxTopicBytes: 1024,
  maxTopicLevels: 32,
  maxInflightBytes: 64 * 1024,
  receiveMaximum: 256,
  topicAliasMaximum: 32,
  maxSessionExpiry: 86_400_000,
  maxUnreleased: 1_000,
  maxSubscriptionsPerClient: 1_000,
  slowReaderBytes: 1024 * 1024,
  drainTimeout: 5_000,
  maxRetainedMessages: 10_000,
  maxRetainedBytes: 16 * 1024 * 1024,
  maxSessions: 1_000,
  maxQueuedMessages: 1_000,
  maxQueuedBytes: 16 * 1024 * 1024,
}
