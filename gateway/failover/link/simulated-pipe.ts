import type { Millis } from '../../../sync/contract/index.ts'
import type { Clock, Random } from '../../../sync/runtime/index.ts'

/** One way of a simulated connection: whatever is put in comes out later, in order. */
export class SimulatedPipe {
  readonly #clock: Clock
  readonly #travel: () => Millis
  /** On the way, oldest first. */
  readonly #moving: (() => void)[] = []
  #lastArrival: Millis = 0
  #broken = false

  /** @param travel how long the next one takes; none overtakes another */
  constructor(clock: Clock, travel: () => Millis) {
    this.#clock = clock
    this.#travel = travel
  }

  put(deliver: () => void): void {
    if (this.#broken) return
    const now = this.#clock.monotonic()
    this.#lastArrival = Math.max(this.#lastArrival, now + this.#travel())
    this.#moving.push(deliver)
    // The oldest, not this one: of timers that are due together, real ones need not fire in order.
    this.#clock.after(this.#lastArrival - now, () => this.#moving.shift()?.())
  }

  /** Nothing gets in any more. Of what is on the way the first few arrive, how many is drawn, and the rest is lost. */
  break(random: Random): void {
    if (this.#broken) return
    this.#broken = true
    this.#moving.length = Math.floor(random.next() * (this.#moving.length + 1))
  }
}
