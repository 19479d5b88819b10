import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { expect } from 'vitest'
import type { Ledger } from '../../simulators/ledger/index.ts'
import { endWithThisProcess } from '../../sync/runtime/index.ts'

const EXAMPLE = resolve(import.meta.dirname, '../../docs/examples/device.py')
/** As in the example. */
const [DEVICE, METRIC, IN_FLIGHT] = ['press-5', 'temperature', 20]

interface Reading {
  value: number
  seq: number
  session: string
}

/** The device of docs/examples that Paho connects, as a process of its own. */
export class PahoDevice {
  readonly acknowledged: Reading[] = []
  readonly #said: string[] = []
  readonly #child: ChildProcess
  readonly #exited: Promise<unknown>

  /**
   * @param python one that has Paho
   * @param servers what it has for a list of gateways, `host:port`
   * @param under goes before its command line
   */
  constructor(python: string, servers: readonly string[], under: readonly string[] = []) {
    const env = { ...process.env, GATEWAYS: servers.join(','), EVERY: '0.02' }
    const [program = '', ...args] = [...under, python, EXAMPLE]
    const child = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    this.#child = child
    const letGo = child.pid === undefined ? () => undefined : endWithThisProcess(child.pid)
    this.#exited = once(child, 'exit').then(letGo)
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [, reading] = /^acknowledged (.*)$/.exec(line) ?? []
      if (reading === undefined) this.#said.push(line)
      else this.acknowledged.push(JSON.parse(reading) as Reading)
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

  /** Writes down what it got acknowledged, once it is stopped: that has to be in the central stream, once. */
  recordIn(ledger: Ledger): void {
    const [first] = this.acknowledged
    if (first === undefined) throw new Error(`nothing was acknowledged; it says ${this.#said.join('\n')}`)
    ledger.addRun(first.session)
    const series = ledger.series({ device: DEVICE, metric: METRIC, session: first.session })
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
  for (const python of ['python3', '/usr/bin/python3']) {
    try {
      execFileSync(python, ['-c', 'import paho.mqtt.client'], { stdio: 'ignore' })
      return { python }
    } catch {}
  }
  return { missing: 'Paho for Python is not installed (Debian: python3-paho-mqtt)' }
}
