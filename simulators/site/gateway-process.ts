import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { GatewayStatus } from '../../gateway/observe/index.ts'
import { type Millis, OperatorError } from '../../sync/contract/index.ts'
import { type Clock, systemClock } from '../../sync/runtime/index.ts'
import { endWithThisProcess } from '../central/index.ts'

export interface GatewayProcessOptions {
  /** Path of the compiled command line. */
  entry: string
  /** Its configuration file. */
  config: string
  /** Goes before its command line; see `Machine`. */
  under?: readonly string[]
  env?: Readonly<Record<string, string | undefined>>
  /** How often it says how it is. */
  every?: Millis
  clock?: Clock
}

const LOG_LINES = 200

/**
 * A gateway as a process of its own, as on a real site: it can be killed.
 *
 *     stopped --start()--> starting --first status--> running --stop(), kill() or its own end--> stopped
 */
export class GatewayProcess {
  #options: GatewayProcessOptions
  readonly #clock: Clock
  readonly #log: string[] = []
  #child: ChildProcess | null = null
  #exited: Promise<void> = Promise.resolve()
  #status: GatewayStatus | null = null
  #lastStatus: GatewayStatus | null = null
  #watchers = new Set<() => void>()

  constructor(options: GatewayProcessOptions) {
    this.#options = options
    this.#clock = options.clock ?? systemClock
  }

  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  get running(): boolean {
    return this.#child !== null && this.#status !== null
  }

  /** What it last said of itself; null until it said anything since its start. */
  get status(): GatewayStatus | null {
    return this.#status
  }

  /** What it ever said last, in this life or the one before. */
  get lastStatus(): GatewayStatus | null {
    return this.#lastStatus
  }

  /** What it said last holds no more: its disk is another one. */
  forget(): void {
    this.#lastStatus = null
  }

  /** The newest lines of its log. */
  get log(): readonly string[] {
    return this.#log
  }

  /**
   * Starts it and waits until it takes readings.
   *
   * @throws OperatorError `GATEWAY_START_FAILED` with its last words
   */
  async start(within: Millis = 20_000): Promise<void> {
    if (this.#child) return
    const { entry, config, under = [], env, every = 250 } = this.#options
    const run = [process.execPath, entry, 'run', '--config', config, '--json', '--every', `${every}ms`]
    const [program = '', ...args] = [...under, ...run]
    const child = spawn(program, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      // A process group of its own: Ctrl-C in the terminal is for whoever runs the site, who ends it in order.
      detached: true,
    })
    const letGo = child.pid === undefined ? () => undefined : endWithThisProcess(child.pid)
    this.#child = child
    this.#status = null
    this.#exited = once(child, 'exit').then(() => {
      letGo()
      if (this.#child === child) this.#child = null
      this.#status = null
      this.#changed()
    })
    createInterface({ input: child.stdout }).on('line', (line) => {
      const said = JSON.parse(line) as GatewayStatus | { error: string }
      if ('error' in said || this.#child !== child) return
      this.#status = said
      this.#lastStatus = said
      this.#changed()
    })
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.#log.push(line)
      if (this.#log.length > LOG_LINES) this.#log.shift()
    })
    await this.waitFor(() => this.#status !== null || this.#child === null, within)
    if (this.#status === null) {
      await this.kill()
      throw new OperatorError('GATEWAY_START_FAILED', `the gateway did not start:\n${this.#log.slice(-10).join('\n')}`)
    }
  }

  /** Another release, or another environment, from the next start on. */
  install(changed: Pick<Partial<GatewayProcessOptions>, 'entry' | 'env'>): void {
    this.#options = { ...this.#options, ...changed }
  }

  /** Asks it to stop and waits until it has; after `within` it is killed. */
  async stop(within: Millis = 20_000): Promise<void> {
    const child = this.#child
    if (!child) return
    const cancel = this.#clock.after(within, () => child.kill('SIGKILL'))
    child.kill('SIGTERM')
    await this.#exited
    cancel()
  }

  /** The end without warning that a power cut or the kernel makes. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#child?.kill(signal)
    await this.#exited
  }

  /** @throws Error when `condition` does not hold within the time; it is looked at whenever the gateway says something */
  async waitFor(condition: (status: GatewayStatus | null) => boolean, within: Millis): Promise<void> {
    if (condition(this.#status)) return
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!condition(this.#status)) return
        finish()
        resolve()
      }
      const cancel = this.#clock.after(within, () => {
        finish()
        reject(
          new Error(
            `the gateway did not get there within ${within} ms; it says ${JSON.stringify(this.#status)}\n${this.#log.slice(-15).join('\n')}`,
          ),
        )
      })
      const finish = (): void => {
        cancel()
        this.#watchers.delete(look)
      }
      this.#watchers.add(look)
    })
  }

  #changed(): void {
    for (const look of [...this.#watchers]) look()
  }
}
