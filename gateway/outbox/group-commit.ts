import { describeError, type Millis, StopAcceptingError } from '../../sync/contract/index.ts'
import type { WriteOp } from '../ports/index.ts'

/** What a commit is made of; called synchronously, so that all parts describe the same instant. */
export interface CommitParts {
  /** Adds the writes of everything gathered since the last call. */
  cut(now: Millis, ops: WriteOp[]): void
  /** The writes of the last `cut` are durable. */
  committed(): void
  /** They are not, and may be in part: nothing gathered since can be trusted. */
  failed(error: unknown): void
}

/** Called with null when durable, with an error when not. */
export type DurableCallback = (error: Error | null) => void

/**
 * Turns many small appends into few synced writes.
 *
 *     idle --append--> scheduled --next turn--> writing --durable--> idle, or writing again
 *                                                  |                 if something gathered meanwhile
 *                                                  +----error-----> failed (for good; the owner makes a new one)
 *
 * Exactly one write is in flight. Whatever arrives during it waits, and goes together in the next one: under load a
 * commit holds thousands of records, at rest a record waits for nothing but its own fsync. Callbacks fire in the order in
 * which they were given.
 */
export class GroupCommit {
  #state: 'idle' | 'scheduled' | 'writing' | 'failed' = 'idle'
  readonly #write: (ops: readonly WriteOp[]) => Promise<void>
  readonly #parts: CommitParts
  readonly #now: () => Millis
  #waiting: DurableCallback[] = []
  #extra: WriteOp[] = []
  #failure: StopAcceptingError | null = null

  constructor(write: (ops: readonly WriteOp[]) => Promise<void>, parts: CommitParts, now: () => Millis) {
    this.#write = write
    this.#parts = parts
    this.#now = now
  }

  /** Adds writes of other parts to the next commit. */
  attach(op: WriteOp): void {
    this.#extra.push(op)
    this.schedule()
  }

  /** Calls back when everything appended so far is durable. */
  whenDurable(callback: DurableCallback): void {
    if (this.#failure) callback(this.#failure)
    else {
      this.#waiting.push(callback)
      this.schedule()
    }
  }

  /** Makes sure that a commit is coming. */
  schedule(): void {
    if (this.#state !== 'idle') return
    this.#state = 'scheduled'
    // A turn later, everything that the sockets had to say in this turn is gathered.
    setImmediate(() => void this.#run())
  }

  async #run(): Promise<void> {
    this.#state = 'writing'
    while (this.#waiting.length > 0 || this.#extra.length > 0) {
      const callbacks = this.#waiting
      const ops = this.#extra
      this.#waiting = []
      this.#extra = []
      try {
        this.#parts.cut(this.#now(), ops)
        if (ops.length > 0) await this.#write(ops)
      } catch (error) {
        this.#fail(error, callbacks)
        return
      }
      this.#parts.committed()
      for (const callback of callbacks) callback(null)
    }
    this.#state = 'idle'
  }

  #fail(error: unknown, callbacks: DurableCallback[]): void {
    this.#state = 'failed'
    this.#failure = new StopAcceptingError('OUTBOX_WRITE_FAILED', `the outbox cannot write: ${describeError(error)}`, {
      cause: error,
    })
    const waiting = [...callbacks, ...this.#waiting]
    this.#waiting = []
    this.#extra = []
    this.#parts.failed(error)
    for (const callback of waiting) callback(this.#failure)
  }
}
