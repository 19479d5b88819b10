import type { NatsConnection } from '@nats-io/transport-node'
import { RetryableError } from '../contract/index.ts'

/** Whether a connection that dials again by itself is up: what is sent while it is not is lost without a word. */
export class LinkWatch {
  readonly #connection: NatsConnection
  readonly #changed: (state: 'up' | 'down') => void
  #up = true
  readonly #listeners = new Set<() => void>()
  readonly #statuses: AsyncIterable<{ type: string }>

  constructor(connection: NatsConnection, changed: (state: 'up' | 'down') => void) {
    this.#connection = connection
    this.#changed = changed
    this.#statuses = connection.status()
    void this.#follow()
  }

  get up(): boolean {
    return this.#up && !this.closed
  }

  /** It will never be up again. */
  get closed(): boolean {
    return this.#connection.isClosed()
  }

  /** Calls back at every change; the returned function ends it. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Resolves when the connection is up, or `signal` aborts.
   *
   * @throws RetryableError `CONSUMER_CONNECTION_CLOSED` when it will never be
   */
  async whenUp(signal: AbortSignal): Promise<void> {
    while (!this.up && !this.closed && !signal.aborted)
      await new Promise<void>((resolve) => {
        const over = (): void => {
          stop()
          signal.removeEventListener('abort', over)
          resolve()
        }
        const stop = this.onChange(over)
        signal.addEventListener('abort', over)
      })
    if (this.closed && !signal.aborted)
      throw new RetryableError('CONSUMER_CONNECTION_CLOSED', 'the connection was closed while the consumer was running')
  }

  /** Looks no more: the connection may live on without us. */
  end(): void {
    const statuses = this.#statuses
    if ('stop' in statuses && typeof statuses.stop === 'function') statuses.stop()
  }

  async #follow(): Promise<void> {
    for await (const { type } of this.#statuses) {
      if (type === 'disconnect' || type === 'staleConnection') this.#set(false)
      else if (type === 'reconnect') this.#set(true)
    }
    this.#set(false)
  }

  #set(up: boolean): void {
    if (up !== this.#up) {
      this.#up = up
      this.#changed(up ? 'up' : 'down')
    }
    for (const listener of [...this.#listeners]) listener()
  }
}
