import type { Offset } from '../../sync/contract/index.ts'
import { printOf, type Twin, type Twins } from './twins.ts'

/** What clearing needs from the gateway around it. */
export interface ClearingHost {
  /** This gateway's name. */
  readonly gateway: string
  /** The others. Nothing leaves before it is known how each of them stands. */
  readonly peers: readonly string[]
  /** One past the newest durable own reading. */
  head(): Offset
  /** Highest own cursor that there ever was. */
  settled(): Offset
  /** Own readings of [from, to), without those that are declared missing. */
  read(from: Offset, to: Offset): AsyncIterable<readonly [offset: Offset, line: string]>
  /** How far the centre has another origin, as far as its gateway has said. */
  forwarded(origin: string): Offset
  /** Whether a reading of another origin is declared missing. */
  isMissing(origin: string, offset: Offset): boolean
  /** Declares an own reading missing because it is in the stream elsewhere. */
  skip(offset: Offset): void
  /** Resolves when everything declared so far is durable. */
  durable(): Promise<void>
  /** Own readings before this offset may leave. */
  release(limit: Offset): void
  /** It could not be found out what may leave. */
  failed(error: unknown): void
}

/** How one peer stands to this gateway's readings. */
export type Standing =
  /** It answers: readings before `passed` have been heard there, and what it knew of them is known here. */
  | { kind: 'present'; passed: Offset }
  /** It does not, and its chain is fenced: all that it has sent is known, and it will see the fence before it sends more. */
  | { kind: 'fenced' }
  /** It does not, and nothing is known. */
  | { kind: 'unknown' }

/**
 * Lets own readings leave when the fate of their copies is decided (ADR 16).
 *
 *     taken in --durable--> waiting --every peer has passed it, or is fenced--> decided: kept or skipped --> released
 *                              ^                                                                               |
 *                              +-------------------- a rival's fence: what has not left waits again -----------+
 */
export class Clearing {
  readonly #host: ClearingHost
  readonly #twins: Twins
  readonly #peers = new Map<string, Standing>()
  /** How far other origins have left, as far as is known. */
  readonly #settledOf = new Map<string, Offset>()
  #released: Offset
  #busy = false
  #located = false
  #running: Promise<void> = Promise.resolve()
  #again = false
  /** Counts withdrawals: what was begun before one must not be released after it. */
  #round = 0

  constructor(host: ClearingHost, twins: Twins) {
    this.#host = host
    this.#twins = twins
    for (const peer of host.peers) this.#peers.set(peer, { kind: 'unknown' })
    this.#released = host.settled()
    host.release(this.#released)
  }

  /** Own readings before this offset may leave. */
  get released(): Offset {
    return this.#released
  }

  stand(peer: string, standing: Standing): void {
    this.#peers.set(peer, standing)
    this.advance()
  }

  standing(peer: string): Standing {
    return this.#peers.get(peer) ?? { kind: 'unknown' }
  }

  /** Everything before `offset` of another origin has left, but for what is declared missing. */
  left(origin: string, offset: Offset): void {
    this.#settledOf.set(origin, Math.max(offset, this.settledOf(origin)))
  }

  settledOf(origin: string): Offset {
    return Math.max(this.#settledOf.get(origin) ?? 0, this.#host.forwarded(origin))
  }

  /** What has not left waits again. Call it only while nothing is on its way. */
  withdraw(): void {
    this.#round++
    this.#released = Math.min(this.#released, this.#host.settled())
    this.#host.release(this.#released)
  }

  /**
   * The end of the own chain is known: what may have left in an earlier life, unknown to its disk, is known to have left or not. Nothing is
   * decided before.
   */
  locate(): void {
    this.#located = true
  }

  get located(): boolean {
    return this.#located
  }

  /** Looks whether more may leave. */
  advance(): void {
    this.#again = true
    if (this.#busy) return
    this.#busy = true
    this.#running = this.#run()
  }

  /** Resolves when nothing more may leave as things stand. */
  async idle(): Promise<void> {
    while (this.#busy) await this.#running
  }

  async #run(): Promise<void> {
    try {
      await this.#work()
    } catch (error) {
      // Nothing leaves until somebody asks again, which whoever makes the next commit does.
      this.#host.failed(error)
    }
    this.#busy = false
    if (this.#again) this.advance()
  }

  async #work(): Promise<void> {
    while (this.#again) {
      this.#again = false
      const round = this.#round
      const to = this.#target()
      if (to <= this.#released) continue
      // After a start, more may have left than the disk had noted: that is decided.
      const from = Math.max(this.#released, this.#host.settled())
      if (this.#twins.any && (await this.#decide(from, to))) await this.#host.durable()
      if (round !== this.#round) {
        this.#again = true
        continue
      }
      this.#released = to
      this.#host.release(to)
      this.#twins.prune(this.#host.settled(), (origin) => this.settledOf(origin))
    }
  }

  #target(): Offset {
    if (!this.#located) return this.#released
    let to = this.#host.head()
    for (const standing of this.#peers.values()) {
      if (standing.kind === 'unknown') return this.#released
      if (standing.kind === 'present') to = Math.min(to, standing.passed)
    }
    return to
  }

  /** @returns whether anything was decided that must be durable first */
  async #decide(from: Offset, to: Offset): Promise<boolean> {
    let decided = false
    for await (const [offset, line] of this.#host.read(from, to)) {
      const print = printOf(line)
      const twins = print ? this.#twins.of(print).filter(({ until }) => offset < until) : []
      if (twins.length === 0) continue
      const kept = !twins.some((twin) => this.#yieldsTo(twin))
      for (const twin of twins) this.#twins.decide(twin, offset, kept)
      if (!kept) this.#host.skip(offset)
      decided = true
    }
    return decided
  }

  /** The rule: what has left stays, then the copy of the gateway with the smaller name. */
  #yieldsTo({ origin, offset, left }: Twin): boolean {
    if (left) return true
    // What was skipped there leaves from here, or from a third one.
    if (this.#host.isMissing(origin, offset)) return false
    if (offset < this.settledOf(origin)) return true
    return origin.slice(0, origin.lastIndexOf('/')) < this.#host.gateway
  }
}
