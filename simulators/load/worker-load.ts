import type { Millis } from '../../sync/contract/index.ts'
import { LoadConnection } from './connection.ts'
import { Histogram } from './histogram.ts'
import type { FromWorker, ToWorker, WorkerReport, WorkerTask } from './messages.ts'

const TICK: Millis = 2
const PROGRESS_EVERY: Millis = 200
const LOOK_EVERY: Millis = 50

/** Acknowledgements, about, after which to look at the clock without being told by a timer. */
const LOOK_AFTER = 512

/** Connections that are being made at a time: thousands at once would overflow the queue of a server's listening socket. */
const DIALS_AT_ONCE = 64

/**
 * All that one worker thread does: its publishers, the pace at which they may send, the measurements.
 *
 * - `connecting`: until every publisher has its CONNACK, then tells `ready`;
 * - `running`: from `go` on; measures from the end of the warm-up;
 * - `stopping`: sends nothing more, waits for what is in flight;
 * - `reported`: over.
 */
export class WorkerLoad {
  readonly #task: WorkerTask
  readonly #tell: (message: FromWorker) => void
  readonly #connections: LoadConnection[]
  readonly #latencies = new Histogram()
  #state: 'connecting' | 'running' | 'stopping' | 'reported' = 'connecting'
  #timers: NodeJS.Timeout[] = []
  /** The first so many connections were told to dial, */
  #dialled = 0
  /** and the first so many have been accepted. */
  #accepted = 0
  #startedAt = 0
  #granted = 0
  #nextGrant = 0
  #events = 0
  #tellAt = 0
  #measureAt = Number.POSITIVE_INFINITY
  #measuredFrom = 0
  #measuredTo = 0
  #acknowledgedBefore = 0
  #acknowledgedThen = 0
  #latenciesBefore: Histogram | undefined

  constructor(task: WorkerTask, tell: (message: FromWorker) => void) {
    this.#task = task
    this.#tell = tell
    this.#connections = task.publishers.map(
      (publisher) =>
        new LoadConnection({
          ...publisher,
          inFlight: task.inFlight,
          count: task.count,
          latencies: this.#latencies,
          onProgress: () => this.#progressed(),
          onRefusedPublish: (reason) =>
            this.#fail('LOAD_REFUSED', `the server refused a publish of ${publisher.device} with ${hex(reason)}`),
        }),
    )
    this.#timers.push(setTimeout(() => this.#notReady(), task.connectWithin))
    this.#dialMore()
  }

  receive(message: ToWorker): void {
    if (message.kind === 'go') this.#go()
    else this.#stop(message.within)
  }

  #go(): void {
    this.#state = 'running'
    this.#startedAt = performance.now()
    this.#measuredFrom = this.#startedAt
    this.#tellAt = this.#startedAt + PROGRESS_EVERY
    if (this.#task.warmUp > 0) this.#measureAt = this.#startedAt + this.#task.warmUp
    this.#timers.push(setInterval(() => this.#look(), LOOK_EVERY))
    if (Number.isFinite(this.#task.rate)) this.#timers.push(setInterval(() => this.#grantDue(), TICK))
    else for (const connection of this.#connections) connection.grant(Number.POSITIVE_INFINITY)
  }

  /** Hands the publishes that are due since the last time to the publishers, in turn. */
  #grantDue(): void {
    const due = Math.floor(((performance.now() - this.#startedAt) * this.#task.rate) / 1_000) - this.#granted
    const each = Math.floor(due / this.#connections.length)
    let extra = due - each * this.#connections.length
    this.#granted += due
    for (let i = 0; i < this.#connections.length; i++) {
      const connection = this.#connections[(this.#nextGrant + i) % this.#connections.length]
      const publishes = each + (extra-- > 0 ? 1 : 0)
      if (publishes > 0) connection?.grant(publishes)
    }
    this.#nextGrant = (this.#nextGrant + due) % this.#connections.length
  }

  /**
   * Does what is due. Timers alone would not do: an event loop that finds a thousand sockets readable, again and again, does not
   * run them for seconds.
   */
  #look(): void {
    const now = performance.now()
    if (now >= this.#measureAt) {
      this.#measureAt = Number.POSITIVE_INFINITY
      this.#beginMeasuring()
    }
    if (now >= this.#tellAt) {
      this.#tellAt = now + PROGRESS_EVERY
      this.#tellProgress()
    }
  }

  #beginMeasuring(): void {
    this.#measuredFrom = performance.now()
    this.#acknowledgedBefore = this.#acknowledged
    this.#latenciesBefore = this.#latencies.copy()
  }

  #dialMore(): void {
    while (this.#connections[this.#accepted]?.open) this.#accepted++
    const upTo = Math.min(this.#connections.length, this.#accepted + DIALS_AT_ONCE)
    while (this.#dialled < upTo) this.#connections[this.#dialled++]?.dial()
  }

  #connecting(): void {
    this.#dialMore()
    const refused = this.#connections
      .slice(this.#accepted, this.#dialled)
      .find((connection) => connection.refused !== undefined)
    if (refused !== undefined)
      this.#fail('LOAD_NOT_CONNECTED', `the server refused ${refused.device} with CONNACK code ${refused.refused}`)
    // One that was accepted may have been cut while the others were waiting for their turn.
    else if (this.#accepted === this.#connections.length && this.#connections.every(({ open }) => open)) {
      this.#clearTimers()
      // Once: the state leaves 'connecting' with the message 'go'.
      this.#tell({ kind: 'ready' })
    }
  }

  #progressed(): void {
    if (this.#state === 'connecting') this.#connecting()
    else if (this.#state === 'running') {
      if (++this.#events % LOOK_AFTER === 0) this.#look()
      if (this.#connections.every((connection) => connection.finished)) {
        this.#endMeasuring()
        this.#tellProgress()
        this.#tell({ kind: 'finished' })
      }
    } else if (this.#state === 'stopping' && this.#connections.every((connection) => connection.idle)) this.#report()
  }

  #notReady(): void {
    const open = this.#connections.filter((connection) => connection.open).length
    this.#fail(
      'LOAD_NOT_CONNECTED',
      `only ${open} of ${this.#connections.length} connections were accepted within ${this.#task.connectWithin} ms`,
    )
  }

  #fail(code: 'LOAD_NOT_CONNECTED' | 'LOAD_REFUSED', reason: string): void {
    if (this.#state === 'reported') return
    this.#shutDown()
    this.#tell({ kind: 'failed', code, reason })
  }

  #stop(within: Millis): void {
    if (this.#state !== 'running') {
      this.#report()
      return
    }
    this.#endMeasuring()
    this.#state = 'stopping'
    this.#clearTimers()
    for (const connection of this.#connections) connection.halt()
    this.#timers.push(setTimeout(() => this.#report(), within))
    this.#progressed()
  }

  #endMeasuring(): void {
    if (this.#measuredTo > 0) return
    this.#measuredTo = performance.now()
    this.#acknowledgedThen = this.#acknowledged
  }

  #report(): void {
    if (this.#state === 'reported') return
    const report: WorkerReport = {
      publishers: this.#connections.map((connection, index) => {
        const { device = '', metric = '', session = '', topic = '' } = this.#task.publishers[index] ?? {}
        return { device, metric, session, topic, ...connection.record }
      }),
      measured: {
        acknowledged: this.#acknowledgedThen - this.#acknowledgedBefore,
        millis: this.#measuredTo - this.#measuredFrom,
        latencies: this.#latencies.without(this.#latenciesBefore).toTransfer(),
      },
      disconnects: this.#connections.reduce((sum, connection) => sum + connection.disconnects, 0),
    }
    this.#shutDown()
    this.#tell({ kind: 'report', report })
  }

  #shutDown(): void {
    this.#state = 'reported'
    this.#clearTimers()
    for (const connection of this.#connections) connection.close()
  }

  #tellProgress(): void {
    const behind = this.#connections.reduce((sum, { credit }) => sum + (Number.isFinite(credit) ? credit : 0), 0)
    this.#tell({
      kind: 'progress',
      sent: this.#connections.reduce((sum, connection) => sum + connection.sent, 0),
      acknowledged: this.#acknowledged,
      open: this.#connections.filter((connection) => connection.open).length,
      behind,
    })
  }

  get #acknowledged(): number {
    return this.#connections.reduce((sum, connection) => sum + connection.acknowledged, 0)
  }

  #clearTimers(): void {
    for (const timer of this.#timers) clearTimeout(timer)
    this.#timers = []
  }
}

const hex = (code: number): string => `0x${code.toString(16).padStart(2, '0')}`
