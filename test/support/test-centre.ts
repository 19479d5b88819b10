import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type JetStreamClient, type JetStreamManager, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection, headers as newHeaders } from '@nats-io/transport-node'
import { type CentralOptions, type CentralServer, startCentral } from '../../simulators/central/index.ts'
import {
  type DeadLetter,
  deadLettersSubject,
  encodeDeadLetter,
  encodeLine,
  type Lane,
  type Reading,
  readingsSubject,
  STREAMS,
  type ThresholdEvent,
} from '../../sync/contract/index.ts'
import { encodeEvent } from '../../sync/forward/event-message.ts'
import type { Gap } from '../../sync/forward/index.ts'
import { encodePack } from '../../sync/forward/pack.ts'
import type { OutgoingMessage } from '../../sync/link/index.ts'
import { streamPlans } from '../../sync/provision/index.ts'

/** Short, because tests let servers die while something is asked of them. */
const REQUEST_TIMEOUT = 1_000

/** Where a pack made by hand stands. */
export interface PackPlace {
  site: string
  gateway?: string
  epoch?: string
  from: number
  term?: number
  gaps?: Gap[]
  lineage?: number
  gzip?: boolean
}

export const reading = (n: number, device = 'dev'): Reading => ({
  device,
  metric: 'temperature',
  value: n,
  unit: 'Cel',
  time: 1_700_000_000_000 + n,
  received: 1_700_000_000_500 + n,
  seq: n,
})

export const readings = (from: number, to: number): Reading[] =>
  Array.from({ length: to - from + 1 }, (_, i) => reading(from + i))

/** A real nats-server with the central streams, and packs on them as a gateway makes them. */
export class TestCentre {
  readonly server: CentralServer
  readonly connection: NatsConnection
  readonly client: JetStreamClient
  readonly manager: JetStreamManager
  readonly #dir: string

  private constructor(server: CentralServer, connection: NatsConnection, manager: JetStreamManager, dir: string) {
    this.server = server
    this.connection = connection
    this.client = jetstream(connection, { timeout: REQUEST_TIMEOUT })
    this.manager = manager
    this.#dir = dir
  }

  static async start(options: Partial<CentralOptions> = {}, streams = true): Promise<TestCentre> {
    const dir = await mkdtemp(join(tmpdir(), 'tidegate-test-'))
    const server = await startCentral({ dir, ...options })
    const connection = await connect({ servers: server.url, maxReconnectAttempts: -1, reconnectTimeWait: 50 })
    const centre = new TestCentre(
      server,
      connection,
      await jetstreamManager(connection, { timeout: REQUEST_TIMEOUT }),
      dir,
    )
    if (streams) await centre.addStreams()
    return centre
  }

  async addStreams(): Promise<void> {
    const plans = streamPlans({ replicas: 1, storage: 'file', maxBytes: -1, maxAge: 0 })
    for (const plan of plans) await this.manager.streams.add(plan)
  }

  async stop(): Promise<void> {
    await this.connection.close()
    await this.server.stop()
    await rm(this.#dir, { recursive: true, force: true })
  }

  /**
   * Appends to the chain of its subject, as a gateway does.
   *
   * @returns its sequence
   */
  async publish({ subject, headers, body }: Pick<OutgoingMessage, 'subject' | 'headers' | 'body'>): Promise<number> {
    const encoded = newHeaders()
    for (const [name, value] of headers) encoded.set(name, value)
    const stream = STREAMS[subject.split('.')[0] as Lane]
    const last = await this.manager.streams.getMessage(stream, { last_by_subj: subject })
    const expect = { lastSubjectSequence: last?.seq ?? 0 }
    return (await this.client.publish(subject, body, { headers: encoded, expect })).seq
  }

  publishReadings(place: PackPlace, records: readonly Reading[]): Promise<number> {
    return this.publishLines(
      place,
      records.map((record) => encodeLine(record)),
    )
  }

  async publishDeadLetters(place: PackPlace, letters: readonly DeadLetter[]): Promise<number> {
    const subject = deadLettersSubject(place.site, place.gateway ?? 'gw')
    return this.publish(await this.pack(place, subject, letters.map(encodeDeadLetter)))
  }

  async publishLines(place: PackPlace, lines: readonly string[]): Promise<number> {
    return this.publish(await this.pack(place, readingsSubject(place.site, place.gateway ?? 'gw'), lines))
  }

  /** A pack of lines and holes; what is in neither is covered by nobody. */
  async pack(place: PackPlace, subject: string, lines: readonly string[]): Promise<OutgoingMessage> {
    const { from, epoch = 'epoch-1', term = 1, gaps = [], lineage = null, gzip = false } = place
    const missing = gaps.reduce((sum, gap) => sum + gap.to - gap.from + 1, 0)
    const body = Buffer.from(lines.map((line) => `${line}\n`).join(''))
    const slice = { from, next: from + lines.length + missing, count: lines.length, body, gaps, lineage }
    return await encodePack(slice, { epoch, term }, { stream: STREAMS.readings, subject }, gzip)
  }

  publishEvent(site: string, event: ThresholdEvent, gateway = 'gw'): Promise<number> {
    return this.publish(encodeEvent(event, event.transition, { site, gateway, epoch: 'epoch-1', term: 1 }))
  }
}
