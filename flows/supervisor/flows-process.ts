import type { Millis } from '../../sync/contract/index.ts'
import { Backoff, Breaker, type BreakerSettings, type Clock, pause, type Random } from '../../sync/runtime/index.ts'
import { type FlowsChild, type FlowsCommand, startChild } from './child.ts'
import type { FlowsLogEntry } from './log-lines.ts'
import { type FlowsState, type ProbeTarget, probe } from './probe.ts'

export interface SupervisorSettings {
  /** From the start of the process to its first answer. */
  startWithin: Millis
  /** Between two questions whether it is alive. */
  probeEvery: Millis
  /** How long one may take. */
  probeWithin: Millis
  /** This many in a row without an answer: it hangs. */
  probeFailures: number
  /** Up this long it counts as well: the next restart comes at once again. */
  steadyAfter: Millis
  /** From the polite request to end to the kill. */
  stopWithin: Millis
  /** Between the end of one process and the start of the next. */
  backoff: { min: Millis; max: Millis }
  breaker: BreakerSettings
}

export const SUPERVISOR_SETTINGS: SupervisorSettings = {
  startWithin: 60_000,
  probeEvery: 2_000,
  probeWithin: 5_000,
  probeFailures: 2,
  steadyAfter: 30_000,
  stopWithin: 5_000,
  backoff: { min: 500, max: 30_000 },
  breaker: { failures: 5, cooldown: 300_000 },
}

export interface SupervisorParts {
  command: FlowsCommand
  target: ProbeTarget
  clock: Clock
  random: Random
  log: (entry: FlowsLogEntry) => void
  settings?: Partial<SupervisorSettings>
}

export interface FlowsStatus extends FlowsState {
  process: 'starting' | 'up' | 'waiting' | 'stopped'
  pid: number | null
  /** Processes that ended by themselves or had to be killed, since the supervisor started. */
  failures: number
  /** What the last failure was; null when there was none. */
  lastFailure: string | null
  /** Open after too many failures in a row: it is tried again, but rarely. */
  breaker: Breaker['state']
}

/**
 * Keeps one Node-RED running, and looks whether it really does.
 *
 *     stopped --start--> starting --first answer--> up
 *                          ^   |                     |
 *                          |   +--ends, or no answer-+--> waiting (backoff; after `breaker.failures` in a row: its cooldown)
 *                          +---------------------------------+
 *     from anywhere: --stop--> stopped
 *
 * "No answer" is an endless loop, a frozen process, or one that is starved: it is killed. Nothing in here can throw into the gateway:
 * whatever Node-RED does ends in `waiting` and a line in the log.
 */
export class FlowsProcess {
  readonly #parts: SupervisorParts
  readonly #settings: SupervisorSettings
  readonly #backoff: Backoff
  readonly #breaker: Breaker
  /** Aborted by `stop`; null exactly while `stopped`. */
  #running: AbortController | null = null
  #over: Promise<void> = Promise.resolve()
  #process: FlowsStatus['process'] = 'stopped'
  #child: FlowsChild | null = null
  #state: FlowsState = { flows: 'unknown', reason: null }
  #failures = 0
  #lastFailure: string | null = null

  constructor(parts: SupervisorParts) {
    this.#parts = parts
    this.#settings = { ...SUPERVISOR_SETTINGS, ...parts.settings }
    this.#backoff = new Backoff(this.#settings.backoff, parts.random)
    this.#breaker = new Breaker(this.#settings.breaker, () => parts.clock.monotonic())
  }

  status(): FlowsStatus {
    return {
      process: this.#process,
      pid: this.#child?.pid ?? null,
      ...this.#state,
      failures: this.#failures,
      lastFailure: this.#lastFailure,
      breaker: this.#breaker.state,
    }
  }

  /** Starts it and returns at once; `status` tells how that went. */
  start(): void {
    if (this.#running !== null) return
    this.#running = new AbortController()
    this.#over = this.#run(this.#running.signal)
  }

  /** Ends the process and everything it started; resolves when they are gone. */
  async stop(): Promise<void> {
    this.#running?.abort()
    await this.#over
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#process = 'starting'
      const child = startChild(this.#parts.command, this.#parts.log)
      this.#child = child
      const failure = await this.#watch(child, signal)
      this.#child = null
      this.#state = { flows: 'unknown', reason: null }
      if (failure === null || signal.aborted) break
      this.#process = 'waiting'
      await pause(this.#parts.clock, this.#failed(failure), signal)
    }
    this.#process = 'stopped'
    this.#running = null
  }

  /** Notes a failure. @returns how long to wait before the next start */
  #failed(failure: string): Millis {
    this.#failures++
    this.#lastFailure = failure
    this.#breaker.failed()
    const wait = Math.max(this.#backoff.next(), this.#breaker.wait)
    const seconds = (wait / 1000).toFixed(1)
    const open = this.#breaker.state === 'open'
    const why = open ? ' (it failed too often in a row: it is tried rarely from now on)' : ''
    this.#say('error', `Node-RED: ${failure}; starting it again in ${seconds} s${why}`)
    return wait
  }

  /** From the start of a process to its end. @returns what went wrong; null when it was asked to stop */
  async #watch(child: FlowsChild, signal: AbortSignal): Promise<string | null> {
    const { clock } = this.#parts
    const { startWithin, probeEvery, probeFailures, steadyAfter } = this.#settings
    let failure: string | null = null
    const gone = new AbortController()
    const over = child.ended.then((how) => {
      failure ??= how
      gone.abort()
    })
    const ending = AbortSignal.any([signal, gone.signal])
    const started = clock.monotonic()
    let upSince: Millis | null = null
    let missed = 0
    while (!ending.aborted) {
      const state = await this.#probe(ending)
      if (ending.aborted) break
      const now = clock.monotonic()
      if (state !== null) {
        missed = 0
        upSince ??= now
        this.#up(state)
        if (now - upSince >= steadyAfter) this.#steady()
      } else if (upSince === null) {
        if (now - started > startWithin) failure = `it did not answer within ${startWithin / 1000} s of its start`
      } else if (++missed >= probeFailures) {
        failure = `it did not answer ${missed} times in a row (an endless loop in a flow?)`
      }
      if (failure !== null) {
        child.kill('SIGKILL')
        break
      }
      // While it starts there is nothing to spare it: it should be known to be up when it is.
      await pause(clock, upSince === null ? Math.min(100, probeEvery) : probeEvery, ending)
    }
    if (signal.aborted && failure === null) {
      await this.#end(child, over)
      return null
    }
    await over
    return failure
  }

  #probe(signal: AbortSignal): Promise<FlowsState | null> {
    return probe(this.#parts.target, this.#parts.clock, this.#settings.probeWithin, signal)
  }

  #up(state: FlowsState): void {
    if (this.#process !== 'up') this.#say('info', `Node-RED answers at ${this.#parts.target.url}`)
    if (state.reason !== null && state.reason !== this.#state.reason) {
      this.#say('error', `Node-RED: no flow runs: ${state.reason}`)
    }
    this.#process = 'up'
    this.#state = state
  }

  #steady(): void {
    this.#backoff.reset()
    this.#breaker.succeeded()
  }

  async #end(child: FlowsChild, over: Promise<void>): Promise<void> {
    child.kill('SIGTERM')
    // A frozen process would not even notice.
    child.kill('SIGCONT')
    const giveUp = this.#parts.clock.after(this.#settings.stopWithin, () => child.kill('SIGKILL'))
    await over
    giveUp()
  }

  #say(level: FlowsLogEntry['level'], text: string): void {
    this.#parts.log({ level, text })
  }
}
