import { byLane, LANES, type Lane, type Offset, StopAcceptingError } from '../../sync/contract/index.ts'
import type { Durability } from '../ingest/topics/index.ts'

/** The own disk, and how far every peer that counts has what is on it. */
export interface DurabilityHost {
  whenDurable(callback: (error: Error | null) => void): void
  /** One past the newest own record of a lane on disk. */
  durable(lane: Lane): Offset
  /** Something that was to be replicated was answered while no peer was in step. */
  answeredAlone(refused: boolean, publishes: number): void
}

type Callback = (error: Error | null) => void

const one = (): number => 1

interface Waiting {
  heads: Readonly<Record<Lane, Offset>> | null
  callback: Callback
  publishes: () => number
}

/**
 * Says when a record is as durable as it has to be: on the own disk, or on a peer's too.
 *
 *     appended --own disk--> (local) answered
 *                       \--> (replicated) waiting --every peer that is in step has it--> answered
 *                                                 --no peer is in step--> answered (degrade), or refused
 *
 * Answers come in the order in which they were asked for, whatever they wait for: a client's acknowledgements keep theirs.
 */
export class ReplicatedDurability {
  readonly #host: DurabilityHost
  readonly #whenAlone: 'degrade' | 'refuse'
  /** How far each peer is that is in step. */
  readonly #peers = new Map<string, Readonly<Record<Lane, Offset>>>()
  #waiting: Waiting[] = []

  constructor(host: DurabilityHost, whenAlone: 'degrade' | 'refuse') {
    this.#host = host
    this.#whenAlone = whenAlone
  }

  /** No peer has what is asked to be replicated. */
  get alone(): boolean {
    return this.#peers.size === 0
  }

  /** Whether a publish that is to be replicated would be refused right now. */
  get refuses(): boolean {
    return this.alone && this.#whenAlone === 'refuse'
  }

  /**
   * Calls back when everything appended so far is durable.
   *
   * @param publishes how many are answered by that, asked when they are
   */
  whenDurable(durability: Durability, callback: Callback, publishes = one): void {
    if (durability === 'local' && this.#waiting.length === 0) {
      // Nothing waits for a peer, but something may begin to while the disk writes.
      this.#host.whenDurable((error) =>
        this.#waiting.length > 0 ? this.#enqueue(null, callback, error, publishes) : callback(error),
      )
      return
    }
    this.#host.whenDurable((error) => {
      // All of the commit: what was appended behind the question counts as asked about, too.
      const heads = durability === 'local' ? null : byLane((lane) => this.#host.durable(lane))
      this.#enqueue(heads, callback, error, publishes)
    })
  }

  /** The peer has everything before `next` on its disk, and is in step. */
  stored(peer: string, next: Readonly<Record<Lane, Offset>>): void {
    this.#peers.set(peer, next)
    this.#answer()
  }

  /** The peer is away, or has to catch up. */
  lost(peer: string): void {
    if (this.#peers.delete(peer)) this.#answer()
  }

  #enqueue(heads: Waiting['heads'], callback: Callback, error: Error | null, publishes: () => number): void {
    if (error) {
      callback(error)
      return
    }
    this.#waiting.push({ heads, callback, publishes })
    this.#answer()
  }

  #answer(): void {
    let count = 0
    while (this.#isDone(this.#waiting[count])) count++
    if (count === 0) return
    for (const { heads, callback, publishes } of this.#waiting.splice(0, count)) {
      const refuses = heads !== null && this.refuses
      if (heads !== null && this.alone) this.#host.answeredAlone(refuses, publishes())
      callback(refuses ? alone() : null)
    }
  }

  #isDone(waiting: Waiting | undefined): boolean {
    if (!waiting) return false
    const { heads } = waiting
    if (heads === null) return true
    for (const stored of this.#peers.values()) if (LANES.some((lane) => stored[lane] < heads[lane])) return false
    return true
  }
}

/** Why nothing is taken in that has to be on two disks. */
export const alone = (): StopAcceptingError =>
  new StopAcceptingError(
    'NO_PEER',
    'no peer is there to keep a copy, and failover.whenAlone is refuse; start the other gateway, or set it to degrade',
  )
