import { decodeLine, type Lane, type Offset, type Reading, type ThresholdEvent } from '../../sync/contract/index.ts'
import type { Gap } from '../../sync/forward/index.ts'
import { linesOf, type ReplicaAccess } from '../outbox/index.ts'
import type { KnownSeries } from '../state/index.ts'
import type { ReplicaKeeper } from './downlink.ts'
import type { LanePosition, LaneProgress } from './protocol.ts'
import { fingerprint, type Twins } from './twins.ts'

/** What there is of the disk. */
export interface ReplicaStore {
  readonly replicas: readonly string[]
  replica(origin: string): Promise<ReplicaAccess>
  dropReplica(origin: string): Promise<void>
  /** One past the newest own record, durable or not. */
  next(lane: Lane): Offset
}

/** The state machine, as far as it listens to peers. */
export interface Listener {
  hear(origin: string, reading: Reading, offset: Offset): boolean
  heed(origin: string, event: ThresholdEvent, offset: Offset): readonly ThresholdEvent[]
  learn(origin: string, series: KnownSeries): void
}

interface Parts {
  store: ReplicaStore
  machine: Listener
  twins: Twins
  /** Events that follow from those of a peer. */
  tell(events: readonly ThresholdEvent[]): void
  /** A peer has a copy of a reading that was taken in here. */
  foundTwin(): void
  /** The lane of a replica grew durably. */
  grew(origin: string, lane: Lane): void
}

/** All replicas that there are here, and what their records mean to this gateway. */
export class Replicas {
  readonly #parts: Parts
  readonly #replicas = new Map<string, ReplicaAccess>()

  constructor(parts: Parts) {
    this.#parts = parts
  }

  async open(): Promise<void> {
    for (const origin of this.#parts.store.replicas) await this.of(origin)
  }

  get all(): readonly ReplicaAccess[] {
    return [...this.#replicas.values()]
  }

  get(origin: string): ReplicaAccess | undefined {
    return this.#replicas.get(origin)
  }

  async of(origin: string): Promise<ReplicaAccess> {
    const known = this.#replicas.get(origin)
    if (known) return known
    const replica = await this.#parts.store.replica(origin)
    const raced = this.#replicas.get(origin)
    if (raced) return raced
    this.#replicas.set(origin, replica)
    for (const lane of ['readings', 'events', 'deadletters'] as const)
      replica.lane(lane).onGrowth(() => this.#parts.grew(origin, lane))
    return replica
  }

  async drop(origin: string): Promise<void> {
    this.#replicas.delete(origin)
    await this.#parts.store.dropReplica(origin)
  }

  /** A replica as a session fills it. */
  async keeper(origin: string): Promise<ReplicaKeeper> {
    const { machine, tell } = this.#parts
    const isNew = !this.#replicas.has(origin)
    const replica = await this.of(origin)
    return {
      origin,
      isNew,
      isBriefed: replica.briefed,
      position: (lane): LanePosition => replica.end(lane),
      durable: (lane) => replica.lane(lane).head,
      *accept(lane: Lane, value: Buffer) {
        const block = replica.accept(lane, value)
        if (!block) return
        for (const [i, line] of linesOf(block).entries()) yield [block.first + i, line] as const
      },
      declare: (lane: Lane, gap: Gap) => replica.declare(lane, gap),
      follow: (lane: Lane, { next, sequence, tail, skipped }: LaneProgress) => {
        if (lane === 'readings') this.skipped(origin, skipped)
        return replica.follow(lane, { next, sequence }, tail)
      },
      heard: (reading, offset) => this.hear(origin, reading, offset),
      learned: (series) => machine.learn(origin, series),
      briefed: () => replica.wasBriefed(),
      heeded: (event, offset) => tell(machine.heed(origin, event, offset)),
    }
  }

  /** Readings that their gateway does not send, because their copies leave in their place. */
  skipped(origin: string, offsets: readonly Offset[]): void {
    const replica = this.#replicas.get(origin)
    if (!replica) return
    const { next } = replica.end('readings')
    for (const offset of offsets)
      if (offset < next && !replica.isMissing(offset))
        replica.declare('readings', { from: offset, to: offset, reason: 'repeated' })
  }

  /** A reading of a peer, however it came here. */
  hear(origin: string, reading: Reading, offset: Offset): void {
    const { machine, store, twins, foundTwin } = this.#parts
    if (!machine.hear(origin, reading, offset)) return
    const print = fingerprint(reading)
    if (print === null) return
    foundTwin()
    const others = this.all.filter((replica) => replica.origin !== origin)
    const elsewhere = Object.fromEntries(others.map((replica) => [replica.origin, replica.end('readings').next]))
    const twin = { fingerprint: print, origin, offset, until: store.next('readings'), own: null }
    twins.add(others.length === 0 ? twin : { ...twin, elsewhere })
  }

  /** Readings that the centre has of an origin, and that the replica may lack. */
  fill(replica: ReplicaAccess, records: Parameters<ReplicaAccess['fill']>[1], now: number): { fresh: number } {
    const fresh = replica.fill('readings', records, now)
    for (const { offset, line } of fresh) {
      const reading = readable(line)
      if (reading) this.hear(replica.origin, reading, offset)
    }
    return { fresh: fresh.length }
  }
}

function readable(line: string): Reading | null {
  try {
    return decodeLine(line)
  } catch {
    // Kept and forwarded as it is; there is nothing in it that this version could hear.
    return null
  }
}
