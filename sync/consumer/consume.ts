import { JetStreamApiCodes, JetStreamApiError, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { type NatsConnection, PermissionViolationError } from '@nats-io/transport-node'
import {
  type Bytes,
  escapeToken,
  type Lane,
  type Millis,
  OperatorError,
  RetryableError,
  STREAMS,
} from '../contract/index.ts'
import { connectNats, type NatsSettings } from '../link/index.ts'
import { type Clock, pause, type Random, systemClock, systemRandom } from '../runtime/index.ts'
import { type AttemptTools, insist, type RetrySettings } from './attempt.ts'
import { type KeepDeadLetter, streamDeadLetters } from './dead-letter.ts'
import { Delivery, type Handler } from './delivery.ts'
import type { DurablePlan, Start } from './durable.ts'
import { LinkWatch } from './link-watch.ts'
import { Missed, nextOnLeader } from './missed.ts'
import { memoryPositions, type PositionStore } from './positions.ts'
import { describeReport, type Report } from './report.ts'
import { Subscription } from './subscription.ts'

/** How to reach the centre: addresses (and credentials), or a connection that stays the caller's. */
export type Centre =
  | ({ servers: string | readonly string[]; connection?: never } & Partial<Omit<NatsSettings, 'servers'>>)
  | { connection: NatsConnection; servers?: never }

export type ConsumeOptions<L extends Lane = 'readings'> = Centre & {
  /** What to read; readings unless said. */
  stream?: L
  /**
   * Name of the durable consumer: letters, digits, `_`, `-`. JetStream keeps under it what was acknowledged. One process
   * at a time may consume under one name.
   */
  durable: string
  /** Called for one record after the other; the order of an origin is kept. What it throws decides what happens, see `attempt`. */
  handler: Handler<L>
  /** Only this site. */
  site?: string
  /** Only this gateway (needs `site`; not for events, which do not belong to a gateway). */
  gateway?: string
  /** Where to begin when the durable consumer is new; the beginning unless said. */
  start?: Start
  /** Remembers what is done across restarts; in memory unless said. */
  positions?: PositionStore
  /** Save the position after this many records (and at the end of each message); 1 unless said. */
  saveEvery?: number
  /** 5 attempts, 100 ms to 10 s, unless said. */
  retry?: Partial<RetrySettings>
  /** Keeps what cannot be processed; stream CONSUMER_DEADLETTERS unless said. */
  deadLetter?: KeepDeadLetter
  /** Subjects (gateways, alarms) that may be handled side by side; 1 unless said. */
  concurrency?: number
  /** Bytes of messages held in memory (as they are in the stream: packs may be compressed); 8 MiB unless said. */
  maxBytes?: Bytes
  /** JetStream hands a message out again when it hears nothing of it for this long; 30 s unless said. */
  ackWait?: Millis
  /** Stops the consumer: the record under way is finished, what is done is acknowledged, the rest is given back. */
  signal?: AbortSignal
  /** What is worth knowing; a line on standard error unless said. */
  onReport?: (report: Report) => void
  clock?: Clock
  random?: Random
}

const MAX_ACK_PENDING = 1000
const REQUEST_TIMEOUT: Millis = 5_000
const RECONNECT = { wait: 250, jitter: 250 }
const FLUSH_WITHIN: Millis = 2_000

/**
 * Hands out the records of a central stream one by one, each at least once, in the order of its origin, and without
 * repeats as far as `positions` remembers. Survives restarts of the centre. Resolves when `signal` aborts and everything
 * under way has come to its end.
 *
 * @throws OperatorError when only a person can mend it: `CONSUMER_OPTIONS`, `CONSUMER_DIFFERS`, or what the handler threw
 * @throws RetryableError `CONSUMER_CONNECTION_CLOSED` when the caller's connection was closed
 */
export async function consume<L extends Lane = 'readings'>(options: ConsumeOptions<L>): Promise<void> {
  const { clock = systemClock, random = systemRandom } = options
  const report = options.onReport ?? warn
  const plan = durablePlan(options.stream ?? 'readings', options)
  const stopping = new AbortController()
  const { signal } = stopping
  const stop = (): void => stopping.abort()
  options.signal?.addEventListener('abort', stop)
  if (options.signal?.aborted) stop()
  const failures: unknown[] = []
  const fail = (error: unknown): void => {
    failures.push(error)
    stop()
  }
  const retry = { attempts: 5, min: 100, max: 10_000, ...options.retry }
  const tools = { clock, random, signal, retry }
  // Timers of the clock do not keep a process alive, and without a connection nothing else would.
  const alive = setInterval(() => {}, 60_000)
  try {
    const connection = await connected(options, tools, report)
    if (connection === null) return
    try {
      await serve(connection, plan, options, tools, report, fail)
      // Acknowledgements are out only when this is through; with a link that is down, the messages come again.
      await Promise.race([connection.flush().catch(() => undefined), pause(clock, FLUSH_WITHIN)])
    } finally {
      if (options.connection === undefined) await connection.close()
    }
  } finally {
    clearInterval(alive)
    options.signal?.removeEventListener('abort', stop)
  }
  if (failures.length > 0) throw failures[0]
}

/** Consumes on one connection, over all its interruptions, until `tools.signal` aborts. */
async function serve<L extends Lane>(
  connection: NatsConnection,
  plan: DurablePlan,
  options: ConsumeOptions<L>,
  tools: AttemptTools,
  report: (report: Report) => void,
  fail: (error: unknown) => void,
): Promise<void> {
  const client = jetstream(connection, { timeout: REQUEST_TIMEOUT })
  const manager = await jetstreamManager(connection, { timeout: REQUEST_TIMEOUT, checkAPI: false })
  const link = new LinkWatch(connection, (state) => {
    if (!tools.signal.aborted) report({ kind: 'link', state })
  })
  const missed = new Missed(nextOnLeader(manager, plan.stream))
  const maxPayload = (): Bytes => connection.info?.max_payload ?? 1024 * 1024
  const delivery = new Delivery<L>({
    lane: (options.stream ?? 'readings') as L,
    handler: options.handler,
    positions: options.positions ?? memoryPositions(),
    saveEvery: options.saveEvery ?? 1,
    keepDeadLetter: options.deadLetter ?? streamDeadLetters(client, plan.durable, maxPayload, REQUEST_TIMEOUT),
    missed,
    tools,
    report,
  })
  const subscription = new Subscription({
    client,
    manager,
    link,
    plan,
    window: options.maxBytes ?? 8 * 1024 * 1024,
    concurrency: options.concurrency ?? 1,
    missed,
    ready: options.deadLetter ? async () => {} : deadLetterStreamThere(manager),
    deliver: (message, redelivered) => delivery.deliver(message, redelivered),
    fail,
    signal: tools.signal,
    clock: tools.clock,
    random: tools.random,
    report,
  })
  try {
    await subscription.run()
  } finally {
    link.end()
  }
}

function warn(report: Report): void {
  // What JetStream hands out again after an interruption is nothing to worry about, nor is what two gateways heard.
  const usual =
    (report.kind === 'repeat' && report.redelivered) || (report.kind === 'declared' && report.reason === 'repeated')
  if (!usual) console.warn(describeReport(report))
}

/** The caller's connection, or one of our own; null when the consumer stops before there is one. */
async function connected(
  options: Centre & { durable: string },
  tools: AttemptTools,
  report: (report: Report) => void,
): Promise<NatsConnection | null> {
  if (options.connection !== undefined) return options.connection
  const { servers, durable, ...rest } = options
  const settings: NatsSettings = {
    name: `tidegate consumer ${durable}`,
    dialTimeout: 5_000,
    pingInterval: 10_000,
    ...rest,
    servers: typeof servers === 'string' ? [servers] : servers,
  }
  const dialled = await insist(
    () => connectNats(settings, tools.signal, RECONNECT),
    tools,
    (error) => report({ kind: 'trouble', what: 'cannot connect', error }),
  )
  return dialled?.value ?? null
}

function durablePlan(lane: Lane, options: Omit<ConsumeOptions<Lane>, 'handler'>): DurablePlan {
  const { durable, site, gateway, start = 'beginning', ackWait = 30_000 } = options
  const wrong = (what: string): OperatorError => new OperatorError('CONSUMER_OPTIONS', what)
  if (!/^[A-Za-z0-9_-]+$/.test(durable))
    throw wrong(`durable: expected a name of letters, digits, '_' and '-', got '${durable}'`)
  if (gateway !== undefined && site === undefined) throw wrong('gateway: needs site')
  if (gateway !== undefined && lane === 'events') throw wrong('gateway: events belong to a site, not to a gateway')
  for (const key of ['saveEvery', 'concurrency', 'maxBytes', 'ackWait'] as const)
    if (options[key] !== undefined && !(options[key] >= 1))
      throw wrong(`${key}: expected at least 1, got ${options[key]}`)
  const of = site === undefined ? '*' : escapeToken(site)
  const by = gateway === undefined ? '*' : escapeToken(gateway)
  const subject = lane === 'events' ? `events.${of}.*.*` : `${lane}.${of}.${by}`
  return { stream: STREAMS[lane], durable, subject, ackWait, maxAckPending: MAX_ACK_PENDING, start }
}

/** Nothing is read before there is a place for what cannot be processed: else the first such record would block the rest. */
function deadLetterStreamThere(manager: Awaited<ReturnType<typeof jetstreamManager>>): () => Promise<void> {
  let there = false
  return async () => {
    if (there) return
    try {
      await manager.streams.info(STREAMS.consumerDeadletters)
    } catch (error) {
      if (error instanceof JetStreamApiError && error.code === JetStreamApiCodes.StreamNotFound)
        throw new RetryableError(
          'CONSUMER_DEADLETTERS_MISSING',
          `stream ${STREAMS.consumerDeadletters} does not exist; run 'tidegate central apply', or give 'deadLetter'`,
          { cause: error },
        )
      // Without the right to look one has to trust whoever gave the rights.
      if (!(error instanceof PermissionViolationError)) throw error
    }
    there = true
  }
}
