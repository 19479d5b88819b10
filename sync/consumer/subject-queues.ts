/**
 * Runs tasks: those of one subject one after the other in the order in which they came, those of different subjects side by
 * side, at most `concurrency` at once.
 */
export class SubjectQueues {
  readonly #concurrency: number
  /** Subjects with tasks that wait or run; the first task of a running subject is the one that runs. */
  readonly #tasks = new Map<string, Array<() => Promise<void>>>()
  readonly #ready: string[] = []
  #running = 0
  #waiters: Array<() => void> = []

  constructor(concurrency: number) {
    this.#concurrency = concurrency
  }

  /** @param task must not reject */
  push(subject: string, task: () => Promise<void>): void {
    const queue = this.#tasks.get(subject)
    if (queue) queue.push(task)
    else {
      this.#tasks.set(subject, [task])
      this.#ready.push(subject)
      this.#start()
    }
  }

  /** Resolves when nothing waits and nothing runs. */
  async idle(): Promise<void> {
    if (this.#tasks.size === 0) return
    await new Promise<void>((resolve) => this.#waiters.push(resolve))
  }

  #start(): void {
    while (this.#running < this.#concurrency) {
      const subject = this.#ready.shift()
      if (subject === undefined) return
      this.#running++
      void this.#run(subject)
    }
  }

  async #run(subject: string): Promise<void> {
    const queue = this.#tasks.get(subject) ?? []
    await queue[0]?.()
    queue.shift()
    this.#running--
    if (queue.length > 0) this.#ready.push(subject)
    else this.#tasks.delete(subject)
    this.#start()
    if (this.#tasks.size > 0) return
    for (const resolve of this.#waiters.splice(0)) resolve()
  }
}
