import type { LoadForm } from '../../../simulators/load/index.ts'
import type { Millis } from '../../../sync/contract/index.ts'

/** Makes payloads of about 130 bytes. */
export const DEVICE_NAME = 'temperature-sensor'
export const CONNECTIONS = 100
export const IN_FLIGHT = 20

/** One way to load a server, the same for all that are compared under it. */
export interface Load {
  connections: number
  /** Publishes of one connection without an answer. */
  inFlight: number
  /** Publishes a second of all connections; as fast as they are acknowledged unless said. */
  rate?: number
  /** `object` unless said. */
  form?: LoadForm
  /** 4 (MQTT 3.1.1) unless said. */
  version?: 4 | 5
}

/** How long, and how often. */
export interface Effort {
  /** Not measured. */
  warmUp: Millis
  /** With the warm-up. */
  duration: Millis
  rounds: number
}

/** The load of most rows. */
export const MANY: Load = { connections: CONNECTIONS, inFlight: IN_FLIGHT }

/** Long enough for just-in-time compilers and heaps to settle, and no longer: there are many runs. */
export const effort = (quick: boolean, rounds: { quick: number; full: number }): Effort =>
  quick
    ? { warmUp: 800, duration: 2_400, rounds: rounds.quick }
    : { warmUp: 1_500, duration: 4_000, rounds: rounds.full }

/**
 * For loads that take longer to say anything: at a fixed rate the rarest latencies are asked for, and of thousands of connections
 * each waits seconds for a slow server.
 */
export const patience = (quick: boolean): Effort =>
  quick ? { warmUp: 1_500, duration: 5_000, rounds: 1 } : { warmUp: 1_500, duration: 7_000, rounds: 3 }
