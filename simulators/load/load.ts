import type { Worker } from 'node:worker_threads'
import { type Millis, RetryableError, UsageError } from '../../sync/contract/index.ts'
import { type Clock, systemClock, systemRandom } from '../../sync/runtime/index.ts'
import { fillTopic, GROUP_TOPIC, type MqttVersion, namesMetrics, TOPIC } from '../fleet/index.ts'
import { Histogram } from './histogram.ts'
import type { FromWorker, PublisherReport, PublisherSpec, ToWorker, WorkerReport, WorkerTask } from './messages.ts'
import { type LoadForm, readingsIn } from './payloads.ts'
import { spawnWorker } from './spawn.ts'

export interface LoadOptions {
  /** Gateways or brokers (plain TCP); connections are spread over them. */
  servers: readonly { host: string; port: number }[]
  connections: number
  /** Publishes of one connection without an acknowledgement. */
  inFlight: number
  /** Stop after so long (warm-up included), or */
  duration?: Millis
  /** after so many publishes of every connection; whichever comes first. */
  count?: number
  /** Publishes a second, all connections together; as fast as they are acknowledged by default. */
  rate?: number
  /** Not measured: from the first publish on. */
  warmUp?: Millis
  /** Threads; 1 drives several 100,000 publishes a second. */
  workers?: number
  /** Devices are called `<name>-<n>`. */
  name?: string
  metric?: string
  /**
   * Series of one connection, at most 1000, that take turns: metrics `<metric>000`, ... What is then acknowledged cannot be held
   * against a ledger.
   */
  series?: number
  /** How a device writes its readings; `object` by default. Only what that form counts can be held against a ledger. */
  form?: LoadForm
  /** Of MQTT: 4 (3.1.1) by default, or 5, where at most as many are in flight as the server allows (receive maximum). */
  version?: MqttVersion
  /** `{device}` and, for forms with one metric a publish, `{metric}` are filled in. */
  topic?: string
  /** Session of all devices; random by default, so that no gateway takes this run for a repeat. */
  run?: string
  username?: string
  password?: string
  /** How long to wait at the beginning until every connection is accepted. */
  connectWithin?: Millis
  /** How long to wait at the end for what is in flight. */
  settle?: Millis
  signal?: AbortSignal
  onProgress?: (progress: LoadProgress) => void
  clock?: Clock
}

export interface LoadProgress {
  sent: number
  acknowledged: number
  /** Connections open. */
  open: number
  /** Publishes that the rate asked for and no window had room for. */
  behind: number
}

export interface LoadResult {
  run: string
  /** Readings that every publish carried. */
  readingsPerPublish: number
  /** Every reading carried a counter of its own series: the run can be held against a ledger. */
  counted: boolean
  /** Publishes. */
  sent: number
  acknowledged: number
  /** Acknowledgements a second, without the warm-up. */
  acksPerSecond: number
  /** From write to PUBACK, milliseconds, without the warm-up. */
  latency: { p50: Millis; p90: Millis; p99: Millis; p999: Millis; max: Millis }
  /** This process's processor time a publish (all its threads), microseconds. */
  cpuMicros: number
  disconnects: number
  /** What each device sent and got acknowledged. */
  devices: PublisherReport[]
}

/**
 * Publishes readings with QoS 1 as fast as a server acknowledges them, or at a rate.
 *
 * @throws UsageError `LOAD_OPTIONS_INVALID`; RetryableError `LOAD_NOT_CONNECTED`, or `LOAD_REFUSED` when a server that speaks MQTT 5
 * says that it did not take a publish
 */
export async function runLoad(options: LoadOptions): Promise<LoadResult> {
  check(options)
  const run = options.run ?? systemRandom.hex(4)
  const load = new Load(tasksOf(options, run), options)
  try {
    await load.ready()
    const cpu = process.cpuUsage()
    const reports = await load.run()
    const { user, system } = process.cpuUsage(cpu)
    return summarize(options, run, reports, user + system)
  } finally {
    await load.terminate()
  }
}

/** The worker threads of one run, seen from the main thread. */
class Load {
  readonly #options: LoadOptions
  readonly #workers: Worker[]
  readonly #progress: LoadProgress[]
  readonly #messages: { waiting: (() => void)[]; failure?: Error } = { waiting: [] }
  readonly #received: FromWorker[][]

  constructor(tasks: readonly WorkerTask[], options: LoadOptions) {
    this.#options = options
    this.#workers = tasks.map(spawnWorker)
    this.#received = tasks.map(() => [])
    this.#progress = tasks.map(() => ({ sent: 0, acknowledged: 0, open: 0, behind: 0 }))
    this.#workers.forEach((worker, index) => {
      worker.on('message', (message: FromWorker) => this.#receive(index, message))
      worker.on('error', (cause) =>
        this.#fail(new RetryableError('LOAD_WORKER_DIED', 'a worker thread died', { cause })),
      )
    })
  }

  async ready(): Promise<void> {
    await this.#all('ready')
  }

  async run(): Promise<WorkerReport[]> {
    const { duration = Number.POSITIVE_INFINITY, settle = 5_000, signal, clock = systemClock } = this.#options
    this.#tell({ kind: 'go' })
    const stopped = new Promise<void>((resolve) => {
      if (Number.isFinite(duration)) clock.after(duration, resolve)
      signal?.addEventListener('abort', () => resolve(), { once: true })
      if (signal?.aborted) resolve()
    })
    await Promise.race([this.#all('finished'), stopped])
    this.#tell({ kind: 'stop', within: settle })
    const reports = await this.#all('report')
    return reports.flatMap((message) => (message.kind === 'report' ? [message.report] : []))
  }

  async terminate(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.terminate()))
  }

  #tell(message: ToWorker): void {
    for (const worker of this.#workers) worker.postMessage(message)
  }

  #receive(index: number, message: FromWorker): void {
    if (message.kind === 'progress') {
      const { kind: _, ...progress } = message
      this.#progress[index] = progress
      this.#options.onProgress?.(addUp(this.#progress))
      return
    }
    if (message.kind === 'failed') this.#fail(new RetryableError(message.code, message.reason))
    this.#received[index]?.push(message)
    this.#wake()
  }

  #fail(error: Error): void {
    this.#messages.failure ??= error
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#messages.waiting.splice(0)) wake()
  }

  /** Waits until every worker has sent a message of this kind. */
  async #all(kind: FromWorker['kind']): Promise<FromWorker[]> {
    for (;;) {
      if (this.#messages.failure !== undefined) throw this.#messages.failure
      const found = this.#received.map((messages) => messages.find((message) => message.kind === kind))
      const all = found.filter((message) => message !== undefined)
      if (all.length === found.length) return all
      await new Promise<void>((resolve) => this.#messages.waiting.push(resolve))
    }
  }
}

function check({
  servers,
  connections,
  inFlight,
  duration,
  count,
  rate,
  series = 1,
  form = 'object',
}: LoadOptions): void {
  const positive = (value: number | undefined): boolean => value === undefined || value > 0
  const sound =
    servers.length > 0 && connections >= 1 && inFlight >= 1 && positive(duration) && positive(count) && positive(rate)
  if (!sound || (duration === undefined && count === undefined)) {
    throw new UsageError(
      'LOAD_OPTIONS_INVALID',
      'a load needs servers, at least one connection and one publish in flight, and an end: duration or count',
    )
  }
  if (series > 1 && namesMetrics(form))
    throw new UsageError(
      'LOAD_OPTIONS_INVALID',
      `series take turns in the topic, and payloads of form ${form} name them`,
    )
}

function tasksOf(options: LoadOptions, run: string): WorkerTask[] {
  const {
    connections,
    servers,
    name = 'load',
    metric = 'temperature',
    series = 1,
    form = 'object',
    version = 4,
    topic = namesMetrics(form) ? GROUP_TOPIC : TOPIC,
    username,
    password,
  } = options
  const threads = Math.min(options.workers ?? 1, connections)
  const publishers = Array.from({ length: connections }, (_, index): PublisherSpec => {
    const device = `${name}-${`${index + 1}`.padStart(4, '0')}`
    const server = servers[index % servers.length] ?? { host: '127.0.0.1', port: 1883 }
    return {
      server,
      clientId: `${device}-${run}`,
      device,
      metric,
      session: run,
      topic: fillTopic(topic, device, series === 1 ? metric : `${metric}000`),
      series,
      form,
      version,
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
    }
  })
  return Array.from({ length: threads }, (_, thread): WorkerTask => {
    const own = publishers.filter((_publisher, index) => index % threads === thread)
    return {
      publishers: own,
      inFlight: options.inFlight,
      count: options.count ?? Number.POSITIVE_INFINITY,
      rate: ((options.rate ?? Number.POSITIVE_INFINITY) * own.length) / connections,
      warmUp: options.warmUp ?? 0,
      connectWithin: options.connectWithin ?? 20_000,
    }
  })
}

function addUp(parts: readonly LoadProgress[]): LoadProgress {
  const sum: LoadProgress = { sent: 0, acknowledged: 0, open: 0, behind: 0 }
  for (const part of parts) {
    sum.sent += part.sent
    sum.acknowledged += part.acknowledged
    sum.open += part.open
    sum.behind += part.behind
  }
  return sum
}

function summarize(
  { form = 'object', series = 1 }: LoadOptions,
  run: string,
  reports: readonly WorkerReport[],
  cpuMicros: number,
): LoadResult {
  const latencies = new Histogram()
  let rate = 0
  for (const { measured } of reports) {
    latencies.merge(new Histogram(measured.latencies.counts, measured.latencies.max))
    if (measured.millis > 0) rate += (measured.acknowledged * 1_000) / measured.millis
  }
  const devices = reports.flatMap(({ publishers }) => publishers)
  const sent = devices.reduce((sum, device) => sum + device.sent, 0)
  const at = (fraction: number): Millis => latencies.quantile(fraction) / 1_000
  return {
    run,
    readingsPerPublish: readingsIn(form),
    counted: form === 'object' && series === 1,
    sent,
    acknowledged: devices.reduce((sum, device) => sum + device.acknowledged, 0),
    acksPerSecond: rate,
    latency: { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: latencies.max / 1_000 },
    cpuMicros: sent > 0 ? cpuMicros / sent : 0,
    disconnects: reports.reduce((sum, { disconnects }) => sum + disconnects, 0),
    devices,
  }
}
