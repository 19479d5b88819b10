import type { Millis } from '../../sync/contract/index.ts'
import type { MqttVersion } from '../fleet/index.ts'
import type { LoadForm } from './payloads.ts'

/** One publisher, as a worker is told to make it. */
export interface PublisherSpec {
  server: { host: string; port: number }
  clientId: string
  topic: string
  device: string
  metric: string
  session: string
  /** Series that take turns; see `FrameOptions`. */
  series: number
  form: LoadForm
  version: MqttVersion
  username?: string
  password?: string
}

/** What a worker is made with. */
export interface WorkerTask {
  publishers: PublisherSpec[]
  inFlight: number
  /** Publishes of one publisher. */
  count: number
  /** Publishes a second of all publishers of this worker; Infinity: as fast as they are acknowledged. */
  rate: number
  warmUp: Millis
  /** For all CONNACKs to come. */
  connectWithin: Millis
}

export type ToWorker =
  | { kind: 'go' }
  /** Send nothing more, wait so long for what is in flight, report. */
  | { kind: 'stop'; within: Millis }

export type FromWorker =
  | { kind: 'ready' }
  | { kind: 'failed'; code: 'LOAD_NOT_CONNECTED' | 'LOAD_REFUSED'; reason: string }
  | { kind: 'progress'; sent: number; acknowledged: number; open: number; behind: number }
  /** All publishers have sent what they were to send, and it is acknowledged. */
  | { kind: 'finished' }
  | { kind: 'report'; report: WorkerReport }

export interface PublisherReport {
  device: string
  metric: string
  session: string
  topic: string
  /** Counter of the first publish, if it has one; the others follow without a hole. */
  firstSeq: number
  sent: number
  /** The first so many of them are acknowledged. */
  acknowledged: number
}

export interface WorkerReport {
  publishers: PublisherReport[]
  /** Between the end of the warm-up and the stop (or the last acknowledgement). */
  measured: { acknowledged: number; millis: Millis; latencies: { counts: Float64Array; max: number } }
  disconnects: number
}
