import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import type { Ledger } from '../../simulators/ledger/index.ts'
import type { Millis } from '../../sync/contract/index.ts'
import { endWithThisProcess } from '../../sync/runtime/index.ts'

const EXAMPLES = resolve(import.meta.dirname, '../../docs/examples')
/** mqtt.js puts no bound to what is in flight; so much is published in ten seconds. */
const IN_FLIGHT = 500

interface Reading {
  value: number
  seq: number
  session: string
}

export interface ExampleDeviceOptions {
  /** What it has for a list of gateways, `host:port`. */
  servers: readonly string[]
  /** Goes before its command line. */
  under?: readonly string[]
}

/** A device of docs/examples, as a process of its own, in more of a hurry than there. */
export class ExampleDevice {
  readonly acknowledged: Reading[] = []
  readonly #device: string
  /** When each of them was, on the monotonic clock. */
  readonly #times: number[] = []
  readonly #said: string[] = []
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  static mqttJs(options: ExampleDeviceOptions): ExampleDevice {
    return new ExampleDevice('press-4', [process.execPath, '--import', 'tsx', `${EXAMPLES}/device.ts`], options)
  }

  static paho(python: string, options: ExampleDeviceOptions): ExampleDevice {
    return new ExampleDevice('press-5', [python, `${EXAMPLES}/device.py`], options)
  }

  private constructor(device: string, command: readonly string[], { servers, under = [] }: ExampleDeviceOptions) {
    this.#device = device
    const env = { ...process.env, GATEWAYS: servers.join(','), EVERY: '0.02' }
    const [program = '', ...args] = [...under, ...command]
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    this.#child = child
    const letGo = child.pid === undefined ? () => undefined : endWithThisProcess(child.pid)
    this.#exited = once(child, 'exit').then(letGo)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, reading] = /^acknowledged (.*)$/.exec(line) ?? []
      if (reading === undefined) this.#said.push(line)
      else {
        this.acknowledged.push(JSON.parse(reading) as Reading)
        this.#times.push(performance.now())
      }
    })
    createInterface({ input: child.stderr }).on('line', (line) => this.#said.push(line))
  }

  /** Waits until it has had so many more publishes acknowledged. */
  async acknowledgedMore(count: number, within = 30_000): Promise<void> {
    const wanted = this.acknowledged.length + count
    // Where it does not come to that, what it says is what is shown.
    const there = (): true | readonly string[] => this.acknowledged.length >= wanted || this.#said.slice(-10)
    await expect.poll(there, { timeout: within, interval: 10 }).toBe(true)
  }

  /** The longest time without an acknowledgement since then. */
  longestSilence(since: Millis): Millis {
    const times = [since, ...this.#times.filter((time) => time > since), performance.now()]
    return Math.max(...times.map((time, index) => time - (times[index - 1] ?? time)))
  }

  /** Writes down what it got acknowledged, once it is stopped: that has to be in the central stream, once. */
  recordIn(ledger: Ledger): void {
    const [first] = this.acknowledged
    if (first === undefined) throw new Error(`nothing was acknowledged; it says ${this.#said.join('\n')}`)
    ledger.addRun(first.session)
    const series = ledger.series({ device: this.#device, metric: 'temperature', session: first.session })
    for (const { seq, value } of this.acknowledged.toSorted((a, b) => a.seq - b.seq)) {
      series.attempt(seq, value)
      series.acknowledge(seq)
    }
    // These may have arrived without that it was told so.
    const next = series.attempted.max + 1
    series.attemptRange(next, next + IN_FLIGHT)
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}

/** A Python that has Paho, or why there is none. */
export function findPaho(): { python: string } | { missing: string } {
  // Debian's packages are its own Python's, which need not be the first on the path.
  for (const python of ['python3', '/usr/bin/python3'])
    if (spawnSync(python, ['-c', 'import paho.mqtt.client'], { stdio: 'ignore' }).status === 0) return { python }
  return { missing: 'Paho for Python is not installed (Debian: python3-paho-mqtt)' }
}
