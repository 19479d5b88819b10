/** Keeps what comes, in order, until somebody listens. */
export class Inbox<T> {
  #listener: ((item: T) => void) | null = null
  #waiting: T[] = []

  put(item: T): void {
    if (this.#listener === null) this.#waiting.push(item)
    else this.#listener(item)
  }

  /** @throws Error when somebody listens already */
  listen(listener: (item: T) => void): void {
    if (this.#listener !== null) throw new Error('expected one listener for the messages of a session')
    this.#listener = listener
    const waiting = this.#waiting
    this.#waiting = []
    for (const item of waiting) listener(item)
  }
}
