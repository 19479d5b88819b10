import type { Offset } from '../../sync/contract/index.ts'
import { gatewayOf, type ReplicaAccess } from '../outbox/index.ts'
import type { Clearing } from './clearing.ts'
import type { Replicas } from './replicas.ts'
import { ReplicaSearch } from './search.ts'
import { printOf, type Twin, type Twins } from './twins.ts'

interface Parts {
  twins: Twins
  clearing: Clearing
  replicas: Replicas
  /** Whether the gateway of the origin is here, in the life in which it numbered that. */
  isLive(origin: string): boolean
  /** Own readings of [from, to), and from where on they may still be read. */
  own: {
    tail(): Offset
    /** What is before it has left. */
    settled(): Offset
    read(from: Offset, to: Offset): AsyncIterable<readonly [offset: Offset, line: string]>
  }
}

/** Where a copy is that may be in the stream, or come there, in place of another one. */
interface Place {
  origin: string
  offset: Offset
  /** It is known to be in the stream. */
  left?: boolean
}

/**
 * Decides which readings of an origin stay behind when it is forwarded in its place, because a copy of them has left or will: the
 * rule is that of `Clearing`, applied for a gateway that cannot apply it itself.
 */
export class Copies {
  readonly #parts: Parts
  readonly #replica: ReplicaAccess
  readonly #searches = new Map<string, ReplicaSearch>()

  constructor(parts: Parts, replica: ReplicaAccess) {
    this.#parts = parts
    this.#replica = replica
  }

  /**
   * Declares missing what stays behind.
   *
   * @returns false when the fate of own copies is not decided yet
   */
  async decide(): Promise<boolean> {
    if (!(await this.#decideOwn())) return false
    await this.#decideOthers()
    return true
  }

  async #decideOwn(): Promise<boolean> {
    const { twins, own } = this.#parts
    const unknown = new Map(
      this.#open().flatMap((twin) => (twin.own === null ? [[twin.fingerprint, twin] as const] : [])),
    )
    if (unknown.size > 0) {
      const settled = own.settled()
      const until = Math.max(...[...unknown.values()].map((twin) => twin.until))
      for await (const [offset, line] of own.read(own.tail(), until)) {
        const twin = unknown.get(printOf(line) ?? '')
        if (!twin || offset >= twin.until) continue
        // It may be on its way.
        if (offset >= settled) return false
        // It left before its copy was heard of.
        twins.decide(twin, offset, true)
      }
    }
    for (const { own: copy, offset } of this.#open()) if (copy?.kept) this.#leaveOut(offset)
    return true
  }

  /** Copies that only others have: of two, at least the one that was heard later is known. */
  async #decideOthers(): Promise<void> {
    const { twins, replicas } = this.#parts
    const { origin: ours } = this.#replica
    const others = replicas.all.filter(({ origin }) => origin !== ours)
    const open = new Map(this.#open().map(({ fingerprint, offset }) => [fingerprint, offset]))
    const heardElsewhere = twins.notOf(ours).map(({ fingerprint }) => fingerprint)
    for (const [print, offset] of await this.#find(this.#replica, new Set(heardElsewhere))) open.set(print, offset)
    const { next } = this.#replica.lane('readings').cursor
    for (const [print, offset] of [...open]) if (offset < next) open.delete(print)
    if (open.size === 0) return
    const places = new Map([...open.keys()].map((print): [string, Place[]] => [print, twins.of(print)]))
    for (const other of others)
      for (const [print, offset] of await this.#find(other, new Set(open.keys())))
        places.get(print)?.push({ origin: other.origin, offset })
    for (const [print, offset] of open)
      if (places.get(print)?.some((place) => place.origin !== ours && this.#yieldsTo(place))) this.#leaveOut(offset)
  }

  /**
   * The rule: what has left stays, then the copy of the gateway with the smaller name. Of two lives of one gateway, what it said in
   * that which it lives now.
   */
  #yieldsTo({ origin, offset, left }: Place): boolean {
    const { clearing, replicas, isLive } = this.#parts
    if (left) return true
    if (replicas.get(origin)?.isMissing(offset)) return false
    if (offset < clearing.settledOf(origin)) return true
    const [theirs, ours] = [gatewayOf(origin), this.#replica.gateway]
    return theirs === ours ? isLive(origin) || origin < this.#replica.origin : theirs < ours
  }

  #leaveOut(offset: Offset): void {
    if (!this.#replica.isMissing(offset))
      this.#replica.declare('readings', { from: offset, to: offset, reason: 'repeated' })
  }

  /** Twins of the origin that are not in the stream. */
  #open(): Twin[] {
    const { cursor } = this.#replica.lane('readings')
    return this.#parts.twins.ofOrigin(this.#replica.origin).filter(({ offset }) => offset >= cursor.next)
  }

  #find(replica: ReplicaAccess, prints: ReadonlySet<string>): Promise<ReadonlyMap<string, Offset>> {
    const known = this.#searches.get(replica.origin)
    const lane = replica.lane('readings')
    const search = known ?? new ReplicaSearch(replica, () => (replica === this.#replica ? lane.cursor.next : lane.tail))
    if (!known) this.#searches.set(replica.origin, search)
    return search.find(prints)
  }
}
