import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process'
import { mkdir, open, readFile, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { OperatorError } from '../../sync/contract/index.ts'
import { type Clock, endWithThisProcess } from '../../sync/runtime/index.ts'
import { readServerId } from './monitor.ts'
import {
  clientHost,
  logFileOf,
  type ServerIdentity,
  type ServerSettings,
  serverConfig,
  storeDirOf,
} from './server-config.ts'
import { waitFor } from './wait.ts'

const READY_WITHIN = 30_000
const STOP_WITHIN = 10_000

/** Signals after which a process may live on. */
const HARMLESS: readonly NodeJS.Signals[] = ['SIGSTOP', 'SIGCONT', 'SIGHUP', 'SIGUSR1', 'SIGUSR2']

/**
 * One nats-server as a child process: file store, on loopback unless told otherwise, same ports and same store at every start.
 *
 * States: `stopped` -> (launch) -> `running` -> (stop, kill, its own crash, or the end of this process) -> `stopped`.
 * `running` means that the process lives; `waitReady` says when it serves.
 */
export class CentralServer {
  readonly name: string
  readonly host: string
  readonly port: number
  /** `nats://host:port` */
  readonly url: string
  readonly monitorPort: number
  /** Where MQTT clients connect; null unless asked for. */
  readonly mqttPort: number | null
  /** Where leaf nodes connect; null unless asked for. */
  readonly leafPort: number | null
  /** Everything that the server keeps: copy it while stopped to have an older state to come back with. */
  readonly storeDir: string
  readonly logFile: string
  readonly #binary: string
  readonly #configFile: string
  readonly #config: string
  readonly #dir: string
  readonly #clock: Clock
  /** Null exactly while `stopped`. */
  #child: ChildProcess | null = null
  #ended: Promise<void> = Promise.resolve()

  constructor(binary: string, identity: ServerIdentity, settings: ServerSettings, clock: Clock) {
    const { name, dir, ports } = identity
    this.name = name
    this.host = clientHost(settings)
    this.port = ports.client
    this.url = `nats://${this.host}:${ports.client}`
    this.monitorPort = ports.monitor
    this.mqttPort = ports.mqtt ?? null
    this.leafPort = ports.leaf ?? null
    this.storeDir = storeDirOf(dir)
    this.logFile = logFileOf(dir)
    this.#dir = dir
    this.#binary = binary
    this.#configFile = join(dir, 'nats-server.conf')
    this.#config = serverConfig(identity, settings)
    this.#clock = clock
  }

  /** Process id; null while stopped. */
  get pid(): number | null {
    return this.#child?.pid ?? null
  }

  get running(): boolean {
    return this.#child !== null
  }

  /** Starts the process, unless it is running. */
  async launch(): Promise<void> {
    if (this.#child !== null) return
    await mkdir(this.#dir, { recursive: true })
    await writeFile(this.#configFile, this.#config)
    // What it says before it has read its configuration (that it cannot) goes to its standard error, later things to its log.
    const log = await open(this.logFile, 'a')
    // A process group of its own: Ctrl-C in a terminal is for the gateway, which wants to hand over its last pack first.
    const stdio: StdioOptions = ['ignore', log.fd, log.fd]
    const child = spawn(this.#binary, ['--config', this.#configFile], { stdio, detached: true })
    const letGo = child.pid === undefined ? (): void => {} : endWithThisProcess(child.pid)
    this.#child = child
    this.#ended = new Promise((resolve) => {
      const over = (): void => {
        letGo()
        if (this.#child === child) this.#child = null
        resolve()
      }
      child.once('exit', over)
      child.once('error', over)
    })
    await log.close()
  }

  /**
   * Resolves when the server accepts a connection and introduces itself.
   *
   * @throws OperatorError `CENTRAL_START_FAILED` when it ended instead, with the last lines of its log
   * @throws RetryableError `CENTRAL_NOT_READY` when it takes too long
   */
  async waitReady(timeout = READY_WITHIN): Promise<void> {
    await waitFor(this.#clock, `an answer of nats-server '${this.name}'`, timeout, async () => {
      // Another server on the same port would answer too: it must be the one that we can also ask on our monitoring port.
      const greeting = await greetedBy(this.host, this.port)
      if (greeting !== null && greeting === (await readServerId(this.monitorPort))) return true
      if (this.running) return null
      const log = await this.lastLog()
      throw new OperatorError('CENTRAL_START_FAILED', `nats-server '${this.name}' did not start:\n${log}`)
    })
  }

  /** Ends it in order; kills it if it does not end. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child === null) return
    child.kill('SIGTERM')
    // A frozen process would not even notice.
    child.kill('SIGCONT')
    const giveUp = this.#clock.after(STOP_WITHIN, () => child.kill('SIGKILL'))
    await this.#ended
    giveUp()
  }

  /** Sends a signal; resolves when the process is gone, or at once for a signal that does not end it (SIGSTOP, SIGCONT). */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const ended = this.#ended
    this.#child?.kill(signal)
    if (!HARMLESS.includes(signal)) await ended
  }

  /** Stops it if it runs, starts it again on the same ports and store, and waits until it serves. */
  async restart(): Promise<void> {
    await this.stop()
    await this.launch()
    await this.waitReady()
  }

  /** The end of its log. */
  async lastLog(lines = 15): Promise<string> {
    const log = await readFile(this.logFile, 'utf8').catch(() => '(no log)')
    return log.trimEnd().split('\n').slice(-lines).join('\n')
  }
}

/** The id of the server that accepts connections there: every NATS server introduces itself with INFO. Null if none does. */
function greetedBy(host: string, port: number): Promise<string | null> {
  return new Promise((resolve) => {
    const socket = connect(port, host)
    const answer = (id: string | null): void => {
      socket.destroy()
      resolve(id)
    }
    socket.setTimeout(1000, () => answer(null))
    socket.once('error', () => answer(null))
    socket.once('close', () => answer(null))
    socket.once('data', (data) => answer(/^INFO .*"server_id":"(\w+)"/.exec(data.toString('latin1'))?.[1] ?? null))
  })
}
