import type { Millis } from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
import type { Output } from './command.ts'

const EVERY: Millis = 200

/** One line on a terminal that is written over and over; nothing where no person looks. */
export class Progress {
  readonly #output: Output
  readonly #clock: Clock
  #shownAt = Number.NEGATIVE_INFINITY
  #width = 0

  constructor(output: Output, clock: Clock) {
    this.#output = output
    this.#clock = clock
  }

  /** @param text is asked for only when it is shown */
  show(text: () => string): void {
    if (this.#output.isTTY !== true) return
    const now = this.#clock.monotonic()
    if (now - this.#shownAt < EVERY) return
    this.#shownAt = now
    const line = text()
    this.#output.write(`\r${line.padEnd(this.#width)}`)
    this.#width = line.length
  }

  /** Makes room for other lines. */
  clear(): void {
    if (this.#width === 0) return
    this.#output.write(`\r${' '.repeat(this.#width)}\r`)
    this.#width = 0
  }
}
