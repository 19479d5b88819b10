/**
 * Turns what comes by calls into what is taken one after the other. Holds one item: whoever gives waits until it was taken.
 *
 *     open --end--> ended: what was given is still taken
 *     open --fail--> failed: the taker gets the error
 *     any --abandon--> abandoned: nobody takes any more, givers do not wait
 */
export class Handover<T> {
  readonly #given: T[] = []
  readonly #abandon = new AbortController()
  #over = false
  #failure: { error: unknown } | null = null
  #wakeTaker: () => void = () => {}
  #wakeGiver: () => void = () => {}

  /** Aborts when nobody takes any more. */
  get abandoned(): AbortSignal {
    return this.#abandon.signal
  }

  /** Resolves when the item was taken, or nobody will take it. */
  async give(item: T): Promise<void> {
    if (this.abandoned.aborted || this.#over) return
    this.#given.push(item)
    const taken = new Promise<void>((resolve) => {
      this.#wakeGiver = resolve
    })
    this.#wakeTaker()
    await taken
  }

  end(): void {
    this.#over = true
    this.#wakeTaker()
  }

  fail(error: unknown): void {
    this.#failure ??= { error }
    this.end()
  }

  abandon(): void {
    this.#over = true
    this.#abandon.abort()
    this.#wakeGiver()
  }

  /** Everything that is given, until it ends or `signal` aborts. */
  async *taken(signal: AbortSignal): AsyncGenerator<T> {
    const wake = (): void => this.#wakeTaker()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted) {
        const item = this.#given.shift()
        if (item !== undefined) {
          yield item
          this.#wakeGiver()
        } else if (this.#failure) throw this.#failure.error
        else if (this.#over) return
        else
          await new Promise<void>((resolve) => {
            this.#wakeTaker = resolve
          })
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }
}
