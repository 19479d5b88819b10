import { describeError, type Millis, StopAcceptingError } from '../../sync/contract/index.ts'
import type { Clock } from '../../sync/runtime/index.ts'
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
 * Turns of the event loop between two writes. In the first, what the sockets have had to say meanwhile is read; in the second, what those
 * say who were answered after the last write. Many small writes cost more than the moment that this takes.
 */
const GATHERING_TURNS = 2

/**
 * Turns many small appends into few synced writes.
 *
 *     idle --append--> scheduled --next turn--> writing --durable, two turns--> idle, or writing again
 *       |                  |                       |                            if something gathered meanwhile
 *       |                  |                       +----error----> over
 *       +------------------+------end()------------+-------------> over (for good; the owner makes a new one)
 *
 * Exactly one write is in flight. Whatever arrives during it waits, and goes together in the next one: under load a
 * commit holds thousands of records, at rest a record waits for nothing but its own fsync. Callbacks fire in the order in
 * which they were given.
 */
export class GroupCommit {
  #state: 'idle' | 'scheduled' | 'writing' | 'over' = 'idle'
  readonly #write: (ops: readonly WriteOp[]) => Promise<void>
  readonly #parts: CommitParts
  readonly #clock: Pick<Clock, 'now' | 'soon'>
  #waiting: DurableCallback[] = []
  #extra: WriteOp[] = []
  /** Something was gathered since the last cut. */
  #wanted = false
  #refusal: StopAcceptingError | null = null
  /** Stands for the next cut: another one after it. */
  #next = Symbol('commit')
  /** Resolves when no write is in flight. */
  #quiet: Promise<void> = Promise.resolve()

  constructor(
    write: (ops: readonly WriteOp[]) => Promise<void>,
    parts: CommitParts,
    clock: Pick<Clock, 'now' | 'soon'>,
  ) {
    this.#write = write
    this.#parts = parts
    this.#clock = clock
  }

  /** Adds writes of other parts to the next commit. */
  attach(ops: readonly WriteOp[]): void {
    if (this.#state === 'over' || ops.length === 0) return
    for (const op of ops) this.#extra.push(op)
    this.schedule()
  }

  /** What is gathered while this is the same goes into one commit. */
  get next(): symbol {
    return this.#next
  }

  /** Calls back when everything appended so far is durable. */
  whenDurable(callback: DurableCallback): void {
    this.#waiting.push(callback)
    this.schedule()
  }

  /** Makes sure that a commit of everything gathered so far, or its refusal, is coming. */
  schedule(): void {
    this.#wanted = true
    if (this.#state === 'writing' || this.#state === 'scheduled') return
    if (this.#state === 'idle') this.#state = 'scheduled'
    // A turn later, everything that the sockets had to say in this turn is gathered.
    this.#clock.soon(() => {
      if (this.#state === 'scheduled') this.#quiet = this.#run()
      else if (this.#state === 'over') void this.#quiet.then(() => this.#refuse())
    })
  }

  /**
   * Ends it: what is in flight is still answered as it turns out, everything behind it is refused.
   *
   * @returns resolves when no write is in flight and all are answered
   */
  async end(reason: StopAcceptingError): Promise<void> {
    this.#refusal ??= reason
    this.#state = 'over'
    await this.#quiet
    this.#refuse()
  }

  async #run(): Promise<void> {
    this.#state = 'writing'
    while (this.#state === 'writing' && this.#wanted) {
      this.#wanted = false
      const callbacks = this.#waiting
      const ops = this.#extra
      this.#waiting = []
      this.#extra = []
      this.#next = Symbol('commit')
      try {
        this.#parts.cut(this.#clock.now(), ops)
        if (ops.length > 0) await this.#write(ops)
      } catch (error) {
        this.#fail(error, callbacks)
        return
      }
      this.#parts.committed()
      for (const callback of callbacks) callback(null)
      await this.#gather()
    }
    if (this.#state === 'writing') this.#state = 'idle'
  }

  /** Whoever was just answered has more to say. A state of its own is not worth it: whatever comes goes with the next write. */
  async #gather(): Promise<void> {
    for (let turn = 0; turn < GATHERING_TURNS; turn++) await new Promise<void>((done) => this.#clock.soon(done))
  }

  #fail(error: unknown, callbacks: readonly DurableCallback[]): void {
    this.#state = 'over'
    this.#refusal ??= new StopAcceptingError(
      'OUTBOX_WRITE_FAILED',
      `the outbox cannot write: ${describeError(error)}`,
      {
        cause: error,
      },
    )
    this.#parts.failed(error)
    this.#waiting = [...callbacks, ...this.#waiting]
    this.#refuse()
  }

  #refuse(): void {
    const waiting = this.#waiting
    this.#waiting = []
    this.#extra = []
    for (const callback of waiting) callback(this.#refusal)
  }
}
